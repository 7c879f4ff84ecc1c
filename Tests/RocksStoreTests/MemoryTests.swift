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

    @Test("a read takes a few small blocks into memory, not the index and the filter of a whole file")
    func smallReads() throws {
        let memory = StoreMemory(blockCacheBytes: 32 << 20, writeBufferBytes: 32 << 20)
        let data = ColumnFamily("data", compression: .none, blockBytes: 4 << 10)
        let key = { (number: Int) in Array("\(number)".utf8) }
        let value = [UInt8](repeating: 7, count: 250)
        var database = try Database(path: store.path, columnFamilies: [data], memory: memory)
        for start in stride(from: 0, to: 50_000, by: 1_000) {
            let batch = WriteBatch(database)
            for number in start..<start + 1_000 { try batch.put(data, key: key(number), value: value) }
            try database.write(batch)
        }
        try database.flush()
        try database.compact(data)
        #expect(database.close())
        database = try Database(path: store.path, columnFamilies: [data], memory: memory)

        let before = memory.usedBytes
        #expect(try database.value(data, forKey: key(31_415)) == value)
        // One each of data, index and filter; those of a file have 100 KiB.
        #expect(memory.usedBytes - before < 32 << 10)
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
