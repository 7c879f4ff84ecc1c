import RocksStore
import Testing

@Suite("Iterators")
struct IteratorTests {
    let store = TemporaryStore()
    let data = TemporaryStore.data
    let database: Database

    init() throws {
        database = try store.open()
        for key in ["a", "b", "ba", "bb", "c", "d"] { try database.put(data, key, key) }
        try database.flush()
        for key in ["bz", "e"] { try database.put(data, key, key) }
    }

    @Test("a range gives its keys in order, lower bound in, upper bound out, both ways")
    func bounds() throws {
        let cases: [(KeyRange, [String])] = [
            (.all, ["a", "b", "ba", "bb", "bz", "c", "d", "e"]),
            (KeyRange(from: Array("b".utf8), upTo: Array("c".utf8)), ["b", "ba", "bb", "bz"]),
            (KeyRange(from: Array("bb".utf8)), ["bb", "bz", "c", "d", "e"]),
            (KeyRange(upTo: Array("b".utf8)), ["a"]),
            (KeyRange(from: Array("x".utf8)), []),
            (KeyRange(upTo: []), []),
            (KeyRange(from: Array("d".utf8), upTo: Array("b".utf8)), []),
            (.prefix(Array("b".utf8)), ["b", "ba", "bb", "bz"]),
            (.prefix(Array("bb".utf8)), ["bb"]),
            (.prefix(Array("bc".utf8)), []),
            (.prefix([]), ["a", "b", "ba", "bb", "bz", "c", "d", "e"]),
        ]
        for (range, keys) in cases {
            #expect(try database.keys(data, range) == keys, "\(range)")
            #expect(try database.keys(data, range, reversed: true) == keys.reversed(), "\(range) backwards")
        }
    }

    @Test("a prefix of the highest bytes has no end, and ends before the next key otherwise")
    func highPrefixes() throws {
        let batch = WriteBatch(database)
        let keys: [[UInt8]] = [[0xFE, 0xFF], [0xFF], [0xFF, 0x00], [0xFF, 0xFF], [0xFF, 0xFF, 0x01]]
        for key in keys { try batch.put(data, key: key, value: key) }
        try database.write(batch)
        func count(_ prefix: [UInt8]) throws -> Int {
            try database.keys(data, .prefix(prefix)).count
        }
        #expect(try count([0xFF]) == 4)
        #expect(try count([0xFF, 0xFF]) == 2)
        #expect(try count([0xFE, 0xFF]) == 1)
    }

    @Test("seeking finds the key or its neighbour, within the bounds, and moves both ways from there")
    func seek() throws {
        var iterator = try database.makeIterator(data, range: .prefix(Array("b".utf8)))
        func key(_ iterator: borrowing StoreIterator) -> String {
            String(decoding: iterator.key, as: UTF8.self)
        }
        let atFirst = iterator.isValid
        #expect(!atFirst)
        try iterator.seek(to: Array("bb".utf8))
        #expect(key(iterator) == "bb")
        try iterator.seek(to: Array("bc".utf8))
        #expect(key(iterator) == "bz")
        #expect(String(decoding: iterator.value, as: UTF8.self) == "bz")
        try iterator.seek(toOrBefore: Array("bc".utf8))
        #expect(key(iterator) == "bb")
        try iterator.previous()
        #expect(key(iterator) == "ba")
        try iterator.next()
        #expect(key(iterator) == "bb")
        try iterator.seek(to: Array("a".utf8))
        #expect(key(iterator) == "b")
        try iterator.seek(toOrBefore: Array("z".utf8))
        #expect(key(iterator) == "bz")
        #expect(try !iterator.next())
        #expect(try !iterator.next())
        #expect(try !iterator.previous())
        #expect(try !iterator.seek(to: Array("c".utf8)))
        #expect(try !iterator.seek(toOrBefore: Array("a".utf8)))
    }

    @Test("an iterator does not see writes that came after it")
    func isolation() throws {
        var iterator = try database.makeIterator(data)
        try database.put(data, "0", "0")
        try iterator.seekToFirst()
        #expect(Array(iterator.key) == Array("a".utf8))
    }

    @Test("an iterator keeps its database alive")
    func lifetime() throws {
        func iterator() throws -> StoreIterator {
            let other = try store.open(store.directory + "/other")
            try other.put(data, "k", "v")
            return try other.makeIterator(data, snapshot: try other.snapshot())
        }
        var iterator = try iterator()
        #expect(try iterator.seekToFirst())
        #expect(Array(iterator.value) == Array("v".utf8))
    }

    @Test("reading an iterator that is at no key stops the program rather than giving it stray memory")
    func keyOfNothing() async {
        await #expect(processExitsWith: .failure) { [path = store.path + "-at-no-key" as String] in
            guard let iterator = try? TemporaryStore().open(path).makeIterator(TemporaryStore.data) else { return }
            _ = iterator.key
        }
    }
}
