import RocksStore
import Testing

@Suite("Reading and writing")
struct DatabaseTests {
    let store = TemporaryStore()
    let data = TemporaryStore.data
    let index = TemporaryStore.index

    @Test("what was written is there after a close and a reopen")
    func reopen() throws {
        let first = try store.open()
        try first.put(data, "a", "1")
        try first.put(index, "a", "2")
        #expect(first.close())
        let second = try store.open()
        #expect(try second.get(data, "a") == "1")
        #expect(try second.get(index, "a") == "2")
        #expect(try second.get(data, "b") == nil)
    }

    @Test("a batch writes all its changes, counts them, and starts anew after clear")
    func batch() throws {
        let database = try store.open()
        let batch = WriteBatch(database)
        #expect(batch.count == 0)
        try batch.put(data, key: [1], value: [10])
        try batch.put(index, key: [2], value: [20])
        try batch.delete(data, key: [1])
        #expect(batch.count == 3)
        #expect(batch.byteCount > 6)
        try database.write(batch)
        #expect(try database.value(data, forKey: [1]) == nil)
        #expect(try database.value(index, forKey: [2]) == [20])

        batch.clear()
        #expect(batch.count == 0)
        try batch.put(data, key: [3], value: [30])
        try database.write(batch)
        #expect(try database.value(data, forKey: [3]) == [30])
    }

    @Test("an empty key and an empty value are a key and a value, not an absent one")
    func empty() throws {
        let database = try store.open()
        let batch = WriteBatch(database)
        try batch.put(data, key: [], value: [])
        try batch.put(data, key: [0], value: [])
        try database.write(batch)
        #expect(try database.value(data, forKey: []) == [])
        #expect(try database.value(data, forKey: [0]) == [])
        #expect(try database.values(data, forKeys: [[], [1], [0]]) == [[], nil, []])
        #expect(try database.keys(data) == ["", "\0"])
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        #expect(try database.withValue(data, none) { $0?.count } == 0)
        try batch.delete(data, key: none)
        try database.write(batch)
        #expect(try database.value(data, forKey: []) == nil)
    }

    @Test("multi-get answers in the order of the keys, with repeats and gaps")
    func multiGet() throws {
        let database = try store.open()
        for number in UInt8(0)..<100 where number % 2 == 0 {
            let batch = WriteBatch(database)
            try batch.put(data, key: [number], value: [number, number])
            try database.write(batch)
            if number == 50 { try database.flush() }
        }
        let keys: [[UInt8]] = [[98], [3], [0], [98], [7, 7], [52]]
        #expect(try database.values(data, forKeys: keys) == [[98, 98], nil, [0, 0], [98, 98], nil, [52, 52]])
        #expect(try database.values(data, forKeys: []) == [])
    }

    @Test("a value can be read in place, and an error of the reader comes through")
    func withValue() throws {
        struct Refused: Error {}
        let database = try store.open()
        try database.put(data, "k", "value")
        for flushed in [false, true] {
            if flushed { try database.flush() }
            let length = try Array("k".utf8).withUnsafeBytes { key in
                try database.withValue(data, key) { $0.map { String(decoding: $0, as: UTF8.self) } }
            }
            #expect(length == "value")
        }
        #expect(throws: Refused.self) {
            try [UInt8(0)].withUnsafeBytes { key in try database.withValue(data, key) { _ in throw Refused() } }
        }
    }

    @Test("a snapshot does not see later writes, in gets, multi-gets and iterators")
    func snapshots() throws {
        let database = try store.open()
        try database.put(data, "a", "old")
        let snapshot = try database.snapshot()
        try database.put(data, "a", "new")
        try database.put(data, "b", "new")
        try database.flush()
        try database.compact(data)
        #expect(try database.get(data, "a", snapshot: snapshot) == "old")
        #expect(try database.get(data, "b", snapshot: snapshot) == nil)
        #expect(try database.values(data, forKeys: [[97], [98]], snapshot: snapshot) == [Array("old".utf8), nil])
        #expect(try database.keys(data, snapshot: snapshot) == ["a"])
        #expect(try database.keys(data) == ["a", "b"])
    }

    @Test("a checkpoint opens as a database and no longer changes")
    func checkpoint() throws {
        let database = try store.open()
        try database.put(data, "a", "1")
        let path = store.directory + "/checkpoint"
        try database.checkpoint(at: path)
        try database.put(data, "a", "2")
        #expect(try store.open(path).get(data, "a") == "1")
        #expect(throws: StoreError.self) { try database.checkpoint(at: path) }
    }

    @Test("a path with spaces and letters of any language, and several missing directories")
    func unicodePath() throws {
        let path = store.directory + "/Zustände 状態/ñ 🚚/0_3"
        let database = try store.open(path)
        try database.put(data, "ключ", "値")
        #expect(database.close())
        #expect(try store.open(path).get(data, "ключ") == "値")
    }

    @Test("destroy removes the store, and a missing one is no error")
    func destroy() throws {
        let database = try store.open()
        try database.put(data, "a", "1")
        #expect(#expect(throws: StoreError.self) { try Database.destroy(path: store.path) }?.kind == .locked)
        #expect(try database.get(data, "a") == "1")
        #expect(database.close())
        try Database.destroy(path: store.path)
        try Database.destroy(path: store.path)
        #expect(try store.open().get(data, "a") == nil)
    }

    @Test("statistics and properties tell what the store does")
    func statistics() throws {
        let database = try store.open()
        try database.put(data, "a", String(repeating: "x", count: 1_000))
        try database.flush()
        for _ in 0..<10 { _ = try database.get(data, "a") }
        let statistics = try database.statistics()
        #expect(statistics.keysWritten == 1)
        #expect(statistics.keysRead == 10)
        #expect(statistics.flushBytesWritten > 0)
        #expect(statistics.blockCacheHits > 0)
        #expect(try database.property(data, "rocksdb.estimate-num-keys") == 1)
        #expect(try database.property(index, "rocksdb.estimate-num-keys") == 0)
        #expect(try database.property(data, "rocksdb.no-such-property") == nil)
    }
}
