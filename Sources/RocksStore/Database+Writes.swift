import CRocksDB
import CRocksMemory

extension Database {
    /// Writes the batch, all of it or nothing. The batch stays as it is: clear it to use it again.
    ///
    /// There is no write-ahead log: a crash takes all column families back to the last flush, to the same batch.
    public func write(_ batch: WriteBatch) throws(StoreError) {
        try withOpen { open throws(StoreError) in
            if batch.database !== self {
                throw StoreError(.invalidArgument, path: path, "a batch of another database, \(batch.database.path)")
            }
            let options = rocksdb_writeoptions_create()
            defer { rocksdb_writeoptions_destroy(options) }
            rocksdb_writeoptions_disable_WAL(options, 1)
            try open.check { rocksdb_write(open.pointer, options, batch.pointer, $0) }
        }
    }

    /// Writes the memtables of all column families to table files, as one; waits for it.
    public func flush() throws(StoreError) {
        try withOpen { open throws(StoreError) in
            let handles = open.familyHandles
            try open.check { crocks_flush(open.pointer, handles, handles.count, $0) }
        }
    }

    /// Rewrites a column family without what was overwritten and deleted; waits for it.
    ///
    /// The C API does not tell whether it worked; a failure shows as an error of the next write.
    public func compact(_ family: ColumnFamily) throws(StoreError) {
        try withOpen { open throws(StoreError) in
            rocksdb_compact_range_cf(open.pointer, try open.handle(of: family), nil, 0, nil, 0)
        }
    }

    /// Makes a copy of the database as it is now, that can be opened as one. Table files are hard links where the file
    /// system allows.
    ///
    /// - Parameter path: a directory that does not exist, in one that does.
    public func checkpoint(at path: String) throws(StoreError) {
        try StoreDirectory.checkPath(path)
        try withOpen { open throws(StoreError) in
            let checkpoint = try open.check { rocksdb_checkpoint_object_create(open.pointer, $0) }
            defer { rocksdb_checkpoint_object_destroy(checkpoint) }
            try open.check { rocksdb_checkpoint_create(checkpoint, path, 0, $0) }
        }
    }
}
