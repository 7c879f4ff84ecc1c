import CRocksDB
import CRocksMemory

/// Owns a `rocksdb_options_t` with our settings. RocksDB keeps database-wide and column family settings in one struct.
final class NativeOptions {
    let pointer: OpaquePointer

    init(_ options: DatabaseOptions, memory: StoreMemory) {
        pointer = rocksdb_options_create()
        rocksdb_options_set_create_if_missing(pointer, options.createIfMissing ? 1 : 0)
        rocksdb_options_set_create_missing_column_families(pointer, options.createIfMissing ? 1 : 0)
        // Without a log, column families that were flushed one by one would differ in age after a crash.
        rocksdb_options_set_atomic_flush(pointer, 1)
        rocksdb_options_set_max_background_jobs(pointer, Int32(clamping: options.maxBackgroundJobs))
        rocksdb_options_set_max_open_files(pointer, Int32(clamping: options.maxOpenFiles))
        // Spreads write-back, so that a large file's last sync does not stall everything.
        rocksdb_options_set_bytes_per_sync(pointer, 1 << 20)
        crocks_log_disable(pointer)
        rocksdb_options_set_stats_dump_period_sec(pointer, 0)
        crocks_memory_share_write_buffers(memory.pointer, pointer)
        crocks_counters_enable(pointer)
    }

    init(_ options: DatabaseOptions, family: ColumnFamily, memory: StoreMemory) {
        pointer = rocksdb_options_create()
        let writeBufferBytes = max(options.writeBufferBytes, 64 << 10)  // RocksDB's own least
        rocksdb_options_set_write_buffer_size(pointer, writeBufferBytes)
        // A memtable takes its memory in pieces of this size: RocksDB's 1 MiB is much for many that are nearly empty,
        // and a piece as large as the memtable would make a new one full.
        rocksdb_options_set_arena_block_size(pointer, min(writeBufferBytes / 8, 256 << 10))
        // Batches come with their keys in order, mostly.
        crocks_memtable_expect_sorted(pointer)
        // Many stores share the write buffers, so a flush brings a MiB or a few. RocksDB would merge four of them into a level of up to
        // 256 MiB, in files of 64: most of a store was rewritten each time.
        rocksdb_options_set_level_compaction_dynamic_level_bytes(pointer, 1)
        rocksdb_options_set_max_bytes_for_level_base(pointer, 32 << 20)
        rocksdb_options_set_target_file_size_base(pointer, 8 << 20)
        rocksdb_options_set_target_file_size_multiplier(pointer, 2)
        rocksdb_options_set_disable_auto_compactions(pointer, options.compacts ? 0 : 1)
        let compression =
            switch family.compression {
            case .none: rocksdb_no_compression
            case .lz4: rocksdb_lz4_compression
            case .zstd: rocksdb_zstd_compression
            }
        rocksdb_options_set_compression(pointer, Int32(compression))

        let table = rocksdb_block_based_options_create()
        defer { rocksdb_block_based_options_destroy(table) }
        rocksdb_block_based_options_set_block_size(table, family.blockBytes)
        rocksdb_block_based_options_set_block_cache(table, crocks_memory_cache(memory.pointer))
        // Index and filter blocks are part of the budget; those of the newest files stay in memory.
        rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1)
        rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1)
        rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1)
        // In pieces: once those of a store are more than the cache holds, a whole file's would be read and decompressed for one key.
        rocksdb_block_based_options_set_index_type(
            table,
            Int32(rocksdb_block_based_table_index_type_two_level_index_search)
        )
        rocksdb_block_based_options_set_partition_filters(table, 1)
        rocksdb_block_based_options_set_metadata_block_size(table, 4 << 10)
        rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, 1)
        if let bits = family.bloomBitsPerKey {
            rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(bits))
            // Memtables, too: a key that is new would be looked for in each. 32 KiB for one of 16 MiB.
            rocksdb_options_set_memtable_prefix_bloom_size_ratio(pointer, 0.002)
            rocksdb_options_set_memtable_whole_key_filtering(pointer, 1)
            // With filters more files that are not merged yet are no harm; iterators have to look into each of them.
            rocksdb_options_set_level0_file_num_compaction_trigger(pointer, 8)
        }
        rocksdb_options_set_block_based_table_factory(pointer, table)
    }

    deinit {
        rocksdb_options_destroy(pointer)
    }
}
