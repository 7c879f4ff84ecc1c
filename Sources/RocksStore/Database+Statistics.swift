import CRocksDB
import CRocksMemory

/// What a database has done since it was opened.
public struct StoreStatistics: Hashable, Sendable {
    /// Blocks found in the shared cache, and not found there.
    public let blockCacheHits, blockCacheMisses: UInt64
    /// Reads of absent keys that a Bloom filter saved.
    public let bloomFilterUseful: UInt64
    /// Keys that were asked for and written one by one or in batches, and their bytes. Iterators and MultiGet don't
    /// count.
    public let keysRead, keysWritten, bytesRead, bytesWritten: UInt64
    /// Bytes moved by flushes and compactions.
    public let flushBytesWritten, compactionBytesRead, compactionBytesWritten: UInt64
    /// Microseconds that writers waited because flushes or compactions were behind.
    public let writeStallMicroseconds: UInt64

    /// What two databases, or one over two openings, have done together.
    public static func + (a: StoreStatistics, b: StoreStatistics) -> StoreStatistics {
        StoreStatistics(
            blockCacheHits: a.blockCacheHits + b.blockCacheHits,
            blockCacheMisses: a.blockCacheMisses + b.blockCacheMisses,
            bloomFilterUseful: a.bloomFilterUseful + b.bloomFilterUseful,
            keysRead: a.keysRead + b.keysRead,
            keysWritten: a.keysWritten + b.keysWritten,
            bytesRead: a.bytesRead + b.bytesRead,
            bytesWritten: a.bytesWritten + b.bytesWritten,
            flushBytesWritten: a.flushBytesWritten + b.flushBytesWritten,
            compactionBytesRead: a.compactionBytesRead + b.compactionBytesRead,
            compactionBytesWritten: a.compactionBytesWritten + b.compactionBytesWritten,
            writeStallMicroseconds: a.writeStallMicroseconds + b.writeStallMicroseconds
        )
    }

    /// Nothing done.
    public static let zero = StoreStatistics(
        blockCacheHits: 0,
        blockCacheMisses: 0,
        bloomFilterUseful: 0,
        keysRead: 0,
        keysWritten: 0,
        bytesRead: 0,
        bytesWritten: 0,
        flushBytesWritten: 0,
        compactionBytesRead: 0,
        compactionBytesWritten: 0,
        writeStallMicroseconds: 0
    )
}

extension Database {
    /// Counters since the database was opened.
    public func statistics() throws(StoreError) -> StoreStatistics {
        let counters = try withOpen { open throws(StoreError) in open.counters }
        return StoreStatistics(
            blockCacheHits: counters.block_cache_hits,
            blockCacheMisses: counters.block_cache_misses,
            bloomFilterUseful: counters.bloom_filter_useful,
            keysRead: counters.keys_read,
            keysWritten: counters.keys_written,
            bytesRead: counters.bytes_read,
            bytesWritten: counters.bytes_written,
            flushBytesWritten: counters.flush_bytes_written,
            compactionBytesRead: counters.compaction_bytes_read,
            compactionBytesWritten: counters.compaction_bytes_written,
            writeStallMicroseconds: counters.write_stall_micros
        )
    }

    /// One of RocksDB's number properties, such as `rocksdb.estimate-num-keys`; `nil` when RocksDB has none of that
    /// name.
    public func property(_ family: ColumnFamily, _ name: String) throws(StoreError) -> UInt64? {
        try withOpen { open throws(StoreError) in
            var value: UInt64 = 0
            let handle = try open.handle(of: family)
            return rocksdb_property_int_cf(open.pointer, handle, name, &value) == 0 ? value : nil
        }
    }

    /// The sum of one of RocksDB's number properties over all column families, which must be one that each has for itself. 0 when
    /// RocksDB has none of that name.
    public func totalProperty(_ name: String) throws(StoreError) -> UInt64 {
        try withOpen { open throws(StoreError) in
            open.familyHandles.reduce(0) { sum, handle in
                var value: UInt64 = 0
                return rocksdb_property_int_cf(open.pointer, handle, name, &value) == 0 ? sum + value : sum
            }
        }
    }
}
