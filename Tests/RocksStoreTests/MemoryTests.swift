import Foundation
import RocksStore
import Testing

@Suite("Memory")
struct MemoryTests {
    let store = TemporaryStore()

    @Test("many stores together stay within one budget for writes, far below the sum of their own limits")
    func sharedBudget() throws {
        let budget = 4 << 20
        let memory = StoreMemory(blockCacheBytes: 4 << 20, writeBufferBytes: budget)
        #expect(memory.capacityBytes == 8 << 20)
        let data = ColumnFamily("data", compression: .none)
        let databases = try (0..<4).map { number in
            try Database(path: store.path + "\(number)", columnFamilies: [data], memory: memory)
        }
        // 8 MiB each: no memtable of 16 MiB would fill up on its own.
        let value = [UInt8](repeating: 7, count: 8 << 10)
        for number in 0..<1_024 {
            for database in databases {
                let batch = WriteBatch(database)
                try batch.put(data, key: Array("\(number)".utf8), value: value)
                try database.write(batch)
            }
        }
        // RocksDB flushes in the background, and frees what it has flushed a moment later.
        for database in databases { #expect(try eventually { try database.statistics().flushBytesWritten > 0 }) }
        for database in databases { try database.flush() }
        #expect(eventually { memory.writeBufferUsedBytes < budget })

        for database in databases {
            for number in 0..<1_024 { _ = try database.value(data, forKey: Array("\(number)".utf8)) }
        }
        #expect(memory.usedBytes > 4 << 20)
        #expect(memory.usedBytes <= memory.capacityBytes)
        #expect(memory.pinnedBytes <= memory.usedBytes)
    }

    /// Whether it becomes true within a minute.
    private func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
        let deadline = ContinuousClock.now + .seconds(60)
        while try !condition() {
            if .now >= deadline { return false }
            Thread.sleep(forTimeInterval: 0.01)
        }
        return true
    }
}
