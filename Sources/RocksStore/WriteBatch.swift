import CRocksDB

/// Writes that reach the database together or not at all.
///
/// For one thread. Fill, write and clear it again and again: it keeps its memory. Filling throws `.invalidArgument`
/// for a column family that is not open, and `.closed` after `Database.close()`.
public final class WriteBatch {
    let database: Database
    let pointer: OpaquePointer

    /// An empty batch for this database.
    public init(_ database: Database) {
        self.database = database
        pointer = rocksdb_writebatch_create()
    }

    deinit {
        rocksdb_writebatch_destroy(pointer)
    }

    /// Sets a key's value. Copies both.
    public func put(
        _ family: ColumnFamily,
        key: UnsafeRawBufferPointer,
        value: UnsafeRawBufferPointer
    ) throws(StoreError) {
        try fill(family) { $0.put(key, value) }
    }

    /// Sets a key's value.
    public func put(_ family: ColumnFamily, key: [UInt8], value: [UInt8]) throws(StoreError) {
        try key.span.bytes.withUnsafeBytes { key throws(StoreError) in
            try value.span.bytes.withUnsafeBytes { value throws(StoreError) in
                try put(family, key: key, value: value)
            }
        }
    }

    /// Removes a key; one that is not there is no error.
    public func delete(_ family: ColumnFamily, key: UnsafeRawBufferPointer) throws(StoreError) {
        try fill(family) { $0.delete(key) }
    }

    /// Removes a key; one that is not there is no error.
    public func delete(_ family: ColumnFamily, key: [UInt8]) throws(StoreError) {
        try key.span.bytes.withUnsafeBytes { key throws(StoreError) in
            try delete(family, key: key)
        }
    }

    /// Puts and deletes many keys of one column family, for which the database is looked up once.
    public func fill(_ family: ColumnFamily, _ body: (borrowing Filler) -> Void) throws(StoreError) {
        try database.withOpen { open throws(StoreError) in
            body(Filler(batch: pointer, family: try open.handle(of: family)))
        }
    }

    /// Valid during `fill`.
    public struct Filler: ~Copyable {
        private let batch: OpaquePointer
        private let family: OpaquePointer

        fileprivate init(batch: OpaquePointer, family: OpaquePointer) {
            self.batch = batch
            self.family = family
        }

        /// Sets a key's value. Copies both.
        public func put(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
            rocksdb_writebatch_put_cf(batch, family, key.chars, key.count, value.chars, value.count)
        }

        /// Removes a key; one that is not there is no error.
        public func delete(_ key: UnsafeRawBufferPointer) {
            rocksdb_writebatch_delete_cf(batch, family, key.chars, key.count)
        }
    }

    /// Puts and deletes in the batch.
    public var count: Int {
        Int(rocksdb_writebatch_count(pointer))
    }

    /// Size of the batch as it goes to the log.
    public var byteCount: Int {
        var size = 0
        _ = rocksdb_writebatch_data(pointer, &size)
        return size
    }

    /// Empties the batch, for the next use.
    public func clear() {
        rocksdb_writebatch_clear(pointer)
    }
}
