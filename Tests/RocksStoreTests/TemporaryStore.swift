import Foundation
import RocksStore

/// A directory of its own for one test, deleted with the last reference, and what most tests open in it.
final class TemporaryStore {
    static let data = ColumnFamily("data")
    static let index = ColumnFamily("index", bloomBitsPerKey: nil, compression: .zstd)

    let directory: String
    let memory = StoreMemory(blockCacheBytes: 8 << 20, writeBufferBytes: 8 << 20)

    init() {
        directory = FileManager.default.temporaryDirectory.path + "/rocks-store-\(UUID().uuidString)"
    }

    deinit {
        try? FileManager.default.removeItem(atPath: directory)
    }

    var path: String { directory + "/store" }

    func open(
        _ path: String? = nil,
        families: [ColumnFamily] = [data, index],
        options: DatabaseOptions = DatabaseOptions()
    ) throws(StoreError) -> Database {
        try Database(path: path ?? self.path, columnFamilies: families, memory: memory, options: options)
    }

    /// Files of the store whose names match.
    func files(_ matches: (String) -> Bool) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).filter(matches).map { path + "/" + $0 }
    }
}

extension Database {
    func put(_ family: ColumnFamily, _ key: String, _ value: String) throws(StoreError) {
        let batch = WriteBatch(self)
        try batch.put(family, key: Array(key.utf8), value: Array(value.utf8))
        try write(batch)
    }

    func get(_ family: ColumnFamily, _ key: String, snapshot: Snapshot? = nil) throws(StoreError) -> String? {
        try value(family, forKey: Array(key.utf8), snapshot: snapshot).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The keys of a range, forwards or backwards.
    func keys(
        _ family: ColumnFamily,
        _ range: KeyRange = .all,
        reversed: Bool = false,
        snapshot: Snapshot? = nil
    ) throws(StoreError) -> [String] {
        var iterator = try makeIterator(family, range: range, snapshot: snapshot)
        var keys: [String] = []
        var valid = reversed ? try iterator.seekToLast() : try iterator.seekToFirst()
        while valid {
            keys.append(String(decoding: iterator.key, as: UTF8.self))
            valid = reversed ? try iterator.previous() : try iterator.next()
        }
        return keys
    }
}
