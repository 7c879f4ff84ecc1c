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
    /// Bytes written to the write-ahead log.
    public let walBytes: UInt64
    /// Bytes moved by flushes and compactions.
    public let flushBytesWritten, compactionBytesRead, compactionBytesWritten: UInt64
    /// Microseconds that writers waited because flushes or compactions were behind.
    public let writeStallMicroseconds: UInt64
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
            walBytes: counters.wal_bytes,
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
}
