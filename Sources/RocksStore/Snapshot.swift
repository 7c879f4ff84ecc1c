import CRocksDB

// Unchecked: everything is a `let`, and RocksDB reads a snapshot and (unchanged) read options from any threads.

/// A view of a database at one moment, unmoved by later writes. Thread-safe; released with its last reference.
public final class Snapshot: @unchecked Sendable {
    let open: OpenDatabase
    let pointer: OpaquePointer
    let readOptions: OpaquePointer

    init(_ open: OpenDatabase) {
        self.open = open
        pointer = rocksdb_create_snapshot(open.pointer)
        readOptions = rocksdb_readoptions_create()
        rocksdb_readoptions_set_snapshot(readOptions, pointer)
    }

    deinit {
        rocksdb_readoptions_destroy(readOptions)
        rocksdb_release_snapshot(open.pointer, pointer)
    }

    func check(isOf database: OpenDatabase) throws(StoreError) {
        if open !== database {
            throw StoreError(.invalidArgument, path: database.path, "a snapshot of another database, \(open.path)")
        }
    }
}
