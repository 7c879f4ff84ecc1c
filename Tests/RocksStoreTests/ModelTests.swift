import RocksStore
import Testing
import SeededRandom

/// Random operations on a store and on a dictionary must agree, whatever was flushed, compacted or reopened in between.
@Suite("Against a model")
struct ModelTests {
    let store = TemporaryStore()
    private let families = [TemporaryStore.data, TemporaryStore.index]

    @Test("the store answers as a sorted dictionary would", arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func agrees(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let options = DatabaseOptions(writeBufferBytes: 64 << 10)
        var database = try store.open(options: options)
        var models: [ColumnFamily: [[UInt8]: [UInt8]]] = [TemporaryStore.data: [:], TemporaryStore.index: [:]]
        var pinned: (snapshot: Snapshot, models: [ColumnFamily: [[UInt8]: [UInt8]]])?

        for step in 0..<400 {
            let place = Comment(rawValue: "seed \(seed), step \(step)")
            let family = families[Int.random(in: 0..<2, using: &random)]
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<45:
                try change(database, &models, using: &random)
            case 45..<60:
                let keys = (0..<Int.random(in: 0..<20, using: &random)).map { _ in randomKey(using: &random) }
                #expect(try database.values(family, forKeys: keys) == keys.map { models[family]?[$0] }, place)
                for key in keys { #expect(try database.value(family, forKey: key) == models[family]?[key], place) }
            case 60..<85:
                let range = randomRange(using: &random)
                try expectScan(database, family, range, nil, models[family] ?? [:], place)
                if let pinned {
                    try expectScan(database, family, range, pinned.snapshot, pinned.models[family] ?? [:], place)
                }
            case 85..<90:
                pinned = (try database.snapshot(), models)
            case 90..<94:
                try database.flush()
            case 94..<97:
                try database.compact(family)
            default:
                pinned = nil
                #expect(database.close(), place)
                database = try store.open(options: options)
            }
        }
    }

    private func change(
        _ database: Database,
        _ models: inout [ColumnFamily: [[UInt8]: [UInt8]]],
        using random: inout SplitMix64
    ) throws {
        let batch = WriteBatch(database)
        for _ in 0..<Int.random(in: 1...30, using: &random) {
            let family = families[Int.random(in: 0..<2, using: &random)]
            let key = randomKey(using: &random)
            if Int.random(in: 0..<3, using: &random) == 0 {
                try batch.delete(family, key: key)
                models[family]?[key] = nil
            } else {
                let length = Int.random(in: 0..<400, using: &random)
                let value = [UInt8](repeating: UInt8.random(in: 0...255, using: &random), count: length)
                try batch.put(family, key: key, value: value)
                models[family]?.updateValue(value, forKey: key)
            }
        }
        try database.write(batch)
    }

    private func expectScan(
        _ database: Database,
        _ family: ColumnFamily,
        _ range: KeyRange,
        _ snapshot: Snapshot?,
        _ model: [[UInt8]: [UInt8]],
        _ place: Comment
    ) throws {
        let expected = model.filter { key, _ in
            range.lower.map { !key.lexicographicallyPrecedes($0) } ?? true
                && range.upper.map { key.lexicographicallyPrecedes($0) } ?? true
        }.sorted { $0.key.lexicographicallyPrecedes($1.key) }

        var iterator = try database.makeIterator(family, range: range, snapshot: snapshot)
        var forwards: [([UInt8], [UInt8])] = []
        try iterator.seekToFirst()
        while iterator.isValid {
            forwards.append((Array(iterator.key), Array(iterator.value)))
            try iterator.next()
        }
        var backwards: [[UInt8]] = []
        try iterator.seekToLast()
        while iterator.isValid {
            backwards.append(Array(iterator.key))
            try iterator.previous()
        }
        #expect(forwards.map(\.0) == expected.map(\.key), place)
        #expect(forwards.map(\.1) == expected.map(\.value), place)
        #expect(backwards == expected.map(\.key).reversed(), place)
    }

    /// Few and short keys, over few bytes with the extreme ones, so that they meet.
    private func randomKey(using random: inout SplitMix64) -> [UInt8] {
        let bytes: [UInt8] = [0, 1, 97, 98, 254, 255]
        return (0..<Int.random(in: 0...4, using: &random)).map { _ in bytes[Int.random(in: 0..<6, using: &random)] }
    }

    private func randomRange(using random: inout SplitMix64) -> KeyRange {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: .all
        case 1: .prefix(randomKey(using: &random))
        case 2: KeyRange(from: randomKey(using: &random))
        default: KeyRange(from: randomKey(using: &random), upTo: randomKey(using: &random))
        }
    }
}
