import CRocksDB
import Foundation

/// Writes a table file that a database takes in whole (`Database.ingest`): no log, no memtable, and no compaction where keys do
/// not overlap with what is there. Far cheaper than batches for whoever has many keys in their order.
///
/// For one thread. Throws `StoreError` with the database's path.
public final class TableFileWriter {
    /// The file; it is there once `finish` has returned.
    public let path: String
    private let database: Database
    private let pointer: OpaquePointer
    private let options: NativeOptions
    /// Keys and values so far, before compression.
    public private(set) var byteCount = 0

    /// - Parameters:
    ///   - family: the one that will get the file: it is written with its settings.
    ///   - path: of a file that does not exist, in a directory that does, on the database's file system.
    public init(_ database: Database, _ family: ColumnFamily, path: String) throws(StoreError) {
        self.path = path
        self.database = database
        options = try database.opened().options(of: family)
        let environment = rocksdb_envoptions_create()
        defer { rocksdb_envoptions_destroy(environment) }
        pointer = rocksdb_sstfilewriter_create(environment, options.pointer)
        try StoreDirectory.checkPath(path)
        try StoreError.check(path: database.path) { rocksdb_sstfilewriter_open(pointer, path, $0) }
    }

    deinit {
        rocksdb_sstfilewriter_destroy(pointer)
    }

    /// Sets a key's value. Keys come in the order of their bytes, each once: another is `.invalidArgument`.
    public func put(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) throws(StoreError) {
        byteCount += key.count + value.count
        try StoreError.check(path: database.path) {
            rocksdb_sstfilewriter_put(pointer, key.chars, key.count, value.chars, value.count, $0)
        }
    }

    /// Removes a key from what the database has; in the order of the others.
    public func delete(key: UnsafeRawBufferPointer) throws(StoreError) {
        byteCount += key.count
        try StoreError.check(path: database.path) {
            rocksdb_sstfilewriter_delete(pointer, key.chars, key.count, $0)
        }
    }

    /// Ends the file and waits until it is on the disk. A file without keys is an error of RocksDB's.
    public func finish() throws(StoreError) {
        try StoreError.check(path: database.path) { rocksdb_sstfilewriter_finish(pointer, $0) }
    }
}

extension Database {
    /// Takes table files in and moves them into its directory. All of them or none, and durable when it returns. Later ones win where keys are in several.
    public func ingest(_ files: [String], into family: ColumnFamily) throws(StoreError) {
        if files.isEmpty { return }
        try withOpen { open throws(StoreError) in
            let handle = try open.handle(of: family)
            let options = rocksdb_ingestexternalfileoptions_create()
            defer { rocksdb_ingestexternalfileoptions_destroy(options) }
            rocksdb_ingestexternalfileoptions_set_move_files(options, 1)
            let paths = files.map { strdup($0) }
            defer { paths.forEach { free($0) } }
            try open.check {
                rocksdb_ingest_external_file_cf(
                    open.pointer,
                    handle,
                    paths.map { UnsafePointer($0) },
                    paths.count,
                    options,
                    $0
                )
            }
        }
    }
}
