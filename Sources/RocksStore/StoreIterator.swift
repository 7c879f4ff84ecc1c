import CRocksDB
import Synchronization

/// A cursor over the keys of a range, in the order of their bytes, in both directions.
///
/// It sees the database as it was when the iterator was made. Belongs to one thread. It keeps the database's files,
/// and its directory locked, until it is gone, so don't keep one. Moving it throws `.corruption` or `.io` when a
/// block can't be read, and `.closed` after `Database.close()`.
public struct StoreIterator: ~Copyable {
    private let open: OpenDatabase
    private let snapshot: Snapshot?
    private let iterator: OpaquePointer
    private let readOptions: OpaquePointer
    private let lower: UnsafeMutableRawBufferPointer?
    private let upper: UnsafeMutableRawBufferPointer?

    init(_ open: OpenDatabase, _ family: ColumnFamily, range: KeyRange, snapshot: Snapshot?) throws(StoreError) {
        let handle = try open.handle(of: family)
        try snapshot?.check(isOf: open)
        self.open = open
        self.snapshot = snapshot
        readOptions = rocksdb_readoptions_create()
        if let snapshot { rocksdb_readoptions_set_snapshot(readOptions, snapshot.pointer) }
        // RocksDB keeps pointers to the bounds.
        lower = range.lower.map(Self.copy)
        upper = range.upper.map(Self.copy)
        if let lower {
            rocksdb_readoptions_set_iterate_lower_bound(readOptions, UnsafeRawBufferPointer(lower).chars, lower.count)
        }
        if let upper {
            rocksdb_readoptions_set_iterate_upper_bound(readOptions, UnsafeRawBufferPointer(upper).chars, upper.count)
        }
        iterator = rocksdb_create_iterator_cf(open.pointer, readOptions, handle)
    }

    deinit {
        rocksdb_iter_destroy(iterator)
        rocksdb_readoptions_destroy(readOptions)
        lower?.deallocate()
        upper?.deallocate()
    }

    /// Never a null pointer, which the C API takes for no bound.
    private static func copy(_ bytes: [UInt8]) -> UnsafeMutableRawBufferPointer {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 1)
        copy.copyBytes(from: bytes)
        return UnsafeMutableRawBufferPointer(rebasing: copy[..<bytes.count])
    }

    /// Whether the iterator is at a key.
    public var isValid: Bool {
        rocksdb_iter_valid(iterator) != 0
    }

    /// The key here, valid until the iterator moves or goes. Only while `isValid`.
    public var key: UnsafeRawBufferPointer {
        precondition(isValid, "the iterator is at no key")
        var count = 0
        let start = rocksdb_iter_key(iterator, &count)
        return UnsafeRawBufferPointer(start: start, count: count)
    }

    /// The value here, valid until the iterator moves or goes. Only while `isValid`.
    public var value: UnsafeRawBufferPointer {
        precondition(isValid, "the iterator is at no key")
        var count = 0
        let start = rocksdb_iter_value(iterator, &count)
        return UnsafeRawBufferPointer(start: start, count: count)
    }

    /// Moves to the first key of the range. This and all moves return `isValid`.
    @discardableResult
    public mutating func seekToFirst() throws(StoreError) -> Bool {
        try move { rocksdb_iter_seek_to_first($0) }
    }

    /// Moves to the last key of the range.
    @discardableResult
    public mutating func seekToLast() throws(StoreError) -> Bool {
        try move { rocksdb_iter_seek_to_last($0) }
    }

    /// Moves to the first key of the range that is `key` or after it.
    @discardableResult
    public mutating func seek(to key: [UInt8]) throws(StoreError) -> Bool {
        try move { iterator in
            key.withUnsafeBytes { rocksdb_iter_seek(iterator, $0.chars, $0.count) }
        }
    }

    /// Moves to the last key of the range that is `key` or before it.
    @discardableResult
    public mutating func seek(toOrBefore key: [UInt8]) throws(StoreError) -> Bool {
        try move { iterator in
            key.withUnsafeBytes { rocksdb_iter_seek_for_prev(iterator, $0.chars, $0.count) }
        }
    }

    /// Moves to the key after this one; stays invalid when it is at none.
    @discardableResult
    public mutating func next() throws(StoreError) -> Bool {
        try move { if rocksdb_iter_valid($0) != 0 { rocksdb_iter_next($0) } }
    }

    /// Moves to the key before this one; stays invalid when it is at none.
    @discardableResult
    public mutating func previous() throws(StoreError) -> Bool {
        try move { if rocksdb_iter_valid($0) != 0 { rocksdb_iter_prev($0) } }
    }

    private func move(_ step: (OpaquePointer) -> Void) throws(StoreError) -> Bool {
        if open.isClosed.load(ordering: .acquiring) {
            throw StoreError(.closed, path: open.path, "the database was closed")
        }
        step(iterator)
        if isValid { return true }
        try open.check { rocksdb_iter_get_error(iterator, $0) }
        return false
    }
}
