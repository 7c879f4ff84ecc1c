import CRocksDB

extension Database {
    /// Gives `body` the value in RocksDB's own memory, without a copy; `nil` when there is none.
    ///
    /// The bytes are valid until `body` returns. Throws `StoreError`, or what `body` throws.
    public func withValue<R>(
        _ family: ColumnFamily,
        _ key: UnsafeRawBufferPointer,
        snapshot: Snapshot? = nil,
        _ body: (UnsafeRawBufferPointer?) throws -> R
    ) throws -> R {
        let open = try opened()
        defer { withExtendedLifetime(open) {} }
        guard let pinned = try open.pinnedValue(family, key, snapshot: snapshot) else { return try body(nil) }
        return try pinned.withBytes(body)
    }

    /// A copy of the value, or `nil` when there is none.
    public func value(
        _ family: ColumnFamily,
        forKey key: [UInt8],
        snapshot: Snapshot? = nil
    ) throws(StoreError) -> [UInt8]? {
        try withOpen { open throws(StoreError) in
            let pinned = try key.span.bytes.withUnsafeBytes { bytes throws(StoreError) in
                try open.pinnedValue(family, bytes, snapshot: snapshot)
            }
            return pinned?.withBytes { Array($0) }
        }
    }

    /// Copies of the values, in the order of the keys: one call that shares the work between keys (RocksDB's MultiGet).
    public func values(
        _ family: ColumnFamily,
        forKeys keys: [[UInt8]],
        snapshot: Snapshot? = nil
    ) throws(StoreError) -> [[UInt8]?] {
        try withOpen { open throws(StoreError) in
            try open.values(family, forKeys: keys, snapshot: snapshot)
        }
    }

    /// An iterator over the keys of `range`, at no position yet. It sees the database as it is now, or as `snapshot`
    /// saw it.
    public func makeIterator(
        _ family: ColumnFamily,
        range: KeyRange = .all,
        snapshot: Snapshot? = nil
    ) throws(StoreError) -> StoreIterator {
        try withOpen { open throws(StoreError) in
            try StoreIterator(open, family, range: range, snapshot: snapshot)
        }
    }

    /// The database as it is now, for any number of reads. While it lives, compaction keeps what it sees on disk.
    public func snapshot() throws(StoreError) -> Snapshot {
        Snapshot(try opened())
    }
}

/// A value in a block or memtable that RocksDB holds for us.
struct PinnedValue: ~Copyable {
    let slice: OpaquePointer

    func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        var count = 0
        let start = rocksdb_pinnableslice_value(slice, &count)
        return try body(UnsafeRawBufferPointer(start: start, count: count))
    }

    deinit {
        rocksdb_pinnableslice_destroy(slice)
    }
}

extension OpenDatabase {
    func pinnedValue(
        _ family: ColumnFamily,
        _ key: UnsafeRawBufferPointer,
        snapshot: Snapshot?
    ) throws(StoreError) -> PinnedValue? {
        let handle = try handle(of: family)
        let slice = try withReadOptions(snapshot) { options throws(StoreError) in
            try check { rocksdb_get_pinned_cf(pointer, options, handle, key.chars, key.count, $0) }
        }
        return slice.map { PinnedValue(slice: $0) }
    }

    func values(_ family: ColumnFamily, forKeys keys: [[UInt8]], snapshot: Snapshot?) throws(StoreError) -> [[UInt8]?] {
        let handle = try handle(of: family)
        let joined = Array(keys.joined())
        let sizes = keys.map(\.count)
        var slices = [OpaquePointer?](repeating: nil, count: keys.count)
        var errors = [UnsafeMutablePointer<CChar>?](repeating: nil, count: keys.count)
        try withReadOptions(snapshot) { options in
            joined.withUnsafeBytes { bytes in
                var start = 0
                let starts = sizes.map { size in
                    defer { start += size }
                    return UnsafeRawBufferPointer(rebasing: bytes[start..<start + size]).chars
                }
                rocksdb_batched_multi_get_cf(
                    pointer,
                    options,
                    handle,
                    keys.count,
                    starts,
                    sizes,
                    &slices,
                    &errors,
                    false
                )
            }
        }
        // Every slice and every error is ours to free, whichever of them we report.
        let found = slices.map { slice in slice.map { PinnedValue(slice: $0).withBytes { Array($0) } } }
        let failures = errors.compactMap { $0 }
        defer { failures.forEach { rocksdb_free($0) } }
        if let failure = failures.first { throw StoreError(message: String(cString: failure), path: path) }
        return found
    }

    private func withReadOptions<R>(
        _ snapshot: Snapshot?,
        _ body: (OpaquePointer) throws(StoreError) -> R
    ) throws(StoreError) -> R {
        guard let snapshot else { return try body(readOptions) }
        defer { withExtendedLifetime(snapshot) {} }
        try snapshot.check(isOf: self)
        return try body(snapshot.readOptions)
    }
}

extension UnsafeRawBufferPointer {
    /// As the C API wants bytes.
    var chars: UnsafePointer<CChar>? {
        baseAddress?.assumingMemoryBound(to: CChar.self)
    }
}
