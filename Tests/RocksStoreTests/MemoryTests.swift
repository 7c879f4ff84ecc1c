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

    @Test(
        "opening a store and reading a key takes a few small blocks into memory, not the indexes and filters of whole files"
    )
    func smallReads() throws {
        // Those of 50,000 keys have 100 KiB.
        #expect(try usedForOneRead(ofStoreWith: 50_000) - usedForOneRead(ofStoreWith: 1) < 32 << 10)
    }

    private func usedForOneRead(ofStoreWith count: Int) throws -> Int {
        let memory = StoreMemory(blockCacheBytes: 32 << 20, writeBufferBytes: 32 << 20)
        let data = ColumnFamily("data", compression: .none, blockBytes: 4 << 10)
        let path = store.path + "\(count)"
        let key = { (number: Int) in Array("\(number)".utf8) }
        let value = [UInt8](repeating: 7, count: 250)
        let filled = try Database(path: path, columnFamilies: [data], memory: memory)
        let batch = WriteBatch(filled)
        for number in 0..<count { try batch.put(data, key: key(number), value: value) }
        try filled.write(batch)
        try filled.flush()
        // Those of files that are not merged yet are kept in memory whole.
        try filled.compact(data)
        #expect(filled.close())
        // Nothing of it is in this one's cache yet.
        let fresh = StoreMemory(blockCacheBytes: 32 << 20, writeBufferBytes: 32 << 20)
        let database = try Database(path: path, columnFamilies: [data], memory: fresh)
        #expect(try database.value(data, forKey: key(count / 2)) == value)
        return fresh.usedBytes
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
