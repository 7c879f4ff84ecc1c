// What RocksDB 7.8 has in C++ and leaves out of its C API: one memory budget for several databases, an atomic flush
// of several column families, counters as numbers, no LOG file, and memtables that expect sorted batches.
#pragma once

#include <rocksdb/c.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// An LRU block cache, and a write buffer manager that charges all memtables to it.
typedef struct crocks_memory crocks_memory;

// The cache holds block_cache_bytes and write_buffer_bytes together, so that neither pushes the other out.
crocks_memory* crocks_memory_create(size_t block_cache_bytes, size_t write_buffer_bytes);
void crocks_memory_destroy(crocks_memory* memory);

// Owned by `memory`; a table factory made with it keeps the cache itself alive.
rocksdb_cache_t* crocks_memory_cache(const crocks_memory* memory);

// Makes databases opened with these options share the write buffers of `memory`. With a RocksDB that this file does
// not know each database gets a limit of its own, of the same size.
void crocks_memory_share_write_buffers(const crocks_memory* memory, rocksdb_options_t* options);

// Bytes in memtables of all databases that share this memory; 0 with a RocksDB that this file does not know.
size_t crocks_memory_write_buffer_usage(const crocks_memory* memory);

// Flushes these column families as one; with a RocksDB that this file does not know, one after the other.
void crocks_flush(rocksdb_t* database, rocksdb_column_family_handle_t* const* families, size_t count, char** error);

typedef struct {
    uint64_t block_cache_hits;
    uint64_t block_cache_misses;
    uint64_t bloom_filter_useful;
    uint64_t keys_read;
    uint64_t keys_written;
    uint64_t bytes_read;
    uint64_t bytes_written;
    uint64_t flush_bytes_written;
    uint64_t compaction_bytes_read;
    uint64_t compaction_bytes_written;
    uint64_t write_stall_micros;
} crocks_counters;

// Turns counters on, without RocksDB's histograms and timers, which cost several percent.
void crocks_counters_enable(rocksdb_options_t* options);

// Reads the counters of the database that was opened with these options. All 0 with a RocksDB this file does not know.
crocks_counters crocks_counters_read(const rocksdb_options_t* options);

// Makes a memtable look for the place of a key near that of the last key with the same first byte: quick where the keys of
// a batch come in order. Nothing with a RocksDB this file does not know.
void crocks_memtable_expect_sorted(rocksdb_options_t* options);

// Makes databases opened with these options write no LOG file of RocksDB's own messages. Debian builds RocksDB with
// assertions, and one of them kills the process at the second message that a full disk refuses.
void crocks_log_disable(rocksdb_options_t* options);

#ifdef __cplusplus
}
#endif
