import CRocksDB
import CRocksMemory

// Unchecked: the pointer never changes, and the cache and the manager behind it do their own locking.

/// The memory that all stores of a process share: one block cache, and one limit for what they buffer before a flush.
///
/// Index and filter blocks live in the cache too, so the two sizes together bound what RocksDB keeps in memory,
/// however many databases are open. The limit is soft: at 7/8 of the write buffers the database that writes next
/// flushes, and writers are not stalled while it does. Make one for the process. Thread-safe.
public final class StoreMemory: @unchecked Sendable {
    let pointer: OpaquePointer

    /// - Parameters:
    ///   - blockCacheBytes: for blocks read from disk; blocks may also use what the write buffers leave free.
    ///   - writeBufferBytes: for writes not yet flushed; more than 0.
    public init(blockCacheBytes: Int, writeBufferBytes: Int) {
        precondition(blockCacheBytes >= 0 && writeBufferBytes > 0, "a store's memory must have a size")
        pointer = crocks_memory_create(blockCacheBytes, writeBufferBytes)
    }

    deinit {
        crocks_memory_destroy(pointer)
    }

    /// The whole budget in bytes: block cache and write buffers.
    public var capacityBytes: Int {
        rocksdb_cache_get_capacity(crocks_memory_cache(pointer))
    }

    /// Bytes of the budget in use, write buffers included.
    public var usedBytes: Int {
        rocksdb_cache_get_usage(crocks_memory_cache(pointer))
    }

    /// Bytes that can't be evicted now: write buffers, and blocks that reads and iterators hold.
    public var pinnedBytes: Int {
        rocksdb_cache_get_pinned_usage(crocks_memory_cache(pointer))
    }

    /// Bytes in memtables of all stores.
    public var writeBufferUsedBytes: Int {
        crocks_memory_write_buffer_usage(pointer)
    }
}
