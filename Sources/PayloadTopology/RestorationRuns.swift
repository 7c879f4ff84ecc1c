import Foundation
import RocksStore
import StreamRuntime

/// Records of a changelog that did not fit into memory, until the store they are for can be made of them: a database beside it, which is
/// given one run of sorted records after another. It is durable whenever `add` returns, so a restoration that was interrupted goes on
/// from there.
///
/// Errors name the store, which is what has to be rebuilt where these files are damaged.
final class RestorationRuns {
    private let database: Database
    private let directory: String
    private let storePath: String
    private var number = 0
    /// Where `read` is.
    private var cursor: StoreIterator?

    /// A run is read once, and there is one look at each key.
    private static let records = ColumnFamily("records", bloomBitsPerKey: nil, compression: .lz4, blockBytes: 32 << 10)
    private static let name = "records"

    /// - Parameter directory: is there, and belongs to the restoration.
    init(of store: Database, in directory: String) throws(StoreError) {
        self.directory = directory
        storePath = store.path
        database = try RestorationRuns.naming(store.path) { () throws(StoreError) in
            try Database(
                path: "\(directory)/\(RestorationRuns.name)",
                columnFamilies: [RestorationRuns.records],
                memory: store.memory,
                // Each is read once, so it would not pay to merge them before.
                options: DatabaseOptions(compacts: false)
            )
        }
    }

    deinit { database.close() }

    static func exist(in directory: String) -> Bool { FileManager.default.fileExists(atPath: "\(directory)/\(name)") }

    /// Later runs win.
    func add(_ records: HeldRecords) throws(StoreError) {
        number += 1
        let path = "\(directory)/run-\(number).sst"
        try RestorationRuns.naming(storePath) { () throws(StoreError) in
            let writer = try TableFileWriter(database, RestorationRuns.records, path: path)
            for record in records.sorted() {
                try records.with(record) { key, value throws(StoreError) in
                    if let value { try writer.put(key: key, value: value) } else { try writer.delete(key: key) }
                }
            }
            try writer.finish()
            try database.ingest([path], into: RestorationRuns.records)
        }
    }

    /// Gives `body` the next records in the order of their keys, of each key the last one, without those that were removed. There is no
    /// `add` after the first call.
    ///
    /// - Returns: whether there are more.
    func read(
        atMost limit: Int,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(StreamError) -> Void
    ) throws(StreamError) -> Bool {
        var cursor = try withStore { () throws(StoreError) in
            if let cursor = self.cursor.take() { return cursor }
            return try RestorationRuns.naming(storePath) { () throws(StoreError) in
                var first = try database.makeIterator(RestorationRuns.records)
                try first.seekToFirst()
                return first
            }
        }
        for _ in 0..<limit where cursor.isValid {
            try body(cursor.key, cursor.value)
            try withStore { () throws(StoreError) in
                try RestorationRuns.naming(storePath) { () throws(StoreError) in _ = try cursor.next() }
            }
        }
        let isMore = cursor.isValid
        self.cursor = consume cursor
        return isMore
    }

    private static func naming<R: ~Copyable>(_ path: String, _ body: () throws(StoreError) -> R) throws(StoreError) -> R
    {
        do { return try body() } catch { throw StoreError(error.kind, path: path, error.detail) }
    }
}
