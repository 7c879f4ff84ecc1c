import Foundation
import RocksStore
import Testing

/// Kills a process that writes, with `kill -9`, and looks at what it left.
@Suite("Crashes")
struct CrashTests {
    let store = TemporaryStore()

    @Test("after kill -9 all column families are at the same batch, and at none before the last flush")
    func familiesAgree() async throws {
        for round in 0..<5 {
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [path = store.path as String, round = round as Int] in
                let child = TemporaryStore()
                let database = try child.open(path)
                let first = try Int(database.get(TemporaryStore.data, "count") ?? "0") ?? 0
                Thread.detachNewThread { try? CrashTests.write(database, from: first) }
                // Killed at no particular moment: in a write, in a flush, or between them.
                while try Int(database.get(TemporaryStore.index, "count") ?? "0") ?? 0 < first + 300 + round * 37 {}
                kill(getpid(), SIGKILL)
            }
            let database = try store.open()
            let count = try #require(try Int(database.get(TemporaryStore.data, "count") ?? ""))
            #expect(try database.get(TemporaryStore.index, "count") == "\(count)")
            let flushed = try Int(String(contentsOfFile: store.path + "/flushed", encoding: .utf8)) ?? 0
            #expect(count >= flushed)
            #expect(count >= (round + 1) * 200)
            database.close()
        }
    }

    private static func write(_ database: Database, from first: Int) throws {
        let batch = WriteBatch(database)
        for number in (first + 1)... {
            batch.clear()
            for family in [TemporaryStore.data, TemporaryStore.index] {
                try batch.put(family, key: Array("count".utf8), value: Array("\(number)".utf8))
            }
            try database.write(batch)
            if number % 50 == 0 {
                try database.flush()
                try "\(number)".write(toFile: database.path + "/flushed", atomically: true, encoding: .utf8)
            }
        }
    }
}
