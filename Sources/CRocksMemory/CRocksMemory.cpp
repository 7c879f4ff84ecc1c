#include "CRocksMemory.h"

#include <rocksdb/version.h>

// The C API hides its structs. The ones below are repeated as RocksDB 7.8 defines them in db/c.cc; for any other
// version this file makes do with the C API alone.
#if ROCKSDB_MAJOR == 7 && ROCKSDB_MINOR == 8

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/statistics.h>
#include <rocksdb/write_buffer_manager.h>

#include <cstdarg>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

struct rocksdb_t {
    rocksdb::DB* rep;
};
struct rocksdb_options_t {
    rocksdb::Options rep;
};
struct rocksdb_cache_t {
    std::shared_ptr<rocksdb::Cache> rep;
};
struct rocksdb_column_family_handle_t {
    rocksdb::ColumnFamilyHandle* rep;
};

struct crocks_memory {
    rocksdb_cache_t* cache;
    std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
};

crocks_memory* crocks_memory_create(size_t block_cache_bytes, size_t write_buffer_bytes) {
    rocksdb_cache_t* cache = rocksdb_cache_create_lru(block_cache_bytes + write_buffer_bytes);
    // Writers are not stalled at the limit: a stream thread that waits for a flush misses its poll interval.
    auto manager = std::make_shared<rocksdb::WriteBufferManager>(write_buffer_bytes, cache->rep, false);
    return new crocks_memory{cache, std::move(manager)};
}

void crocks_memory_share_write_buffers(const crocks_memory* memory, rocksdb_options_t* options) {
    options->rep.write_buffer_manager = memory->write_buffers;
}

size_t crocks_memory_write_buffer_usage(const crocks_memory* memory) {
    return memory->write_buffers->memory_usage();
}

void crocks_flush(rocksdb_t* database, rocksdb_column_family_handle_t* const* families, size_t count, char** error) {
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    for (size_t i = 0; i < count; i++) handles.push_back(families[i]->rep);
    // Otherwise it waits for compactions, and a stream thread with it, which misses its poll interval.
    rocksdb::FlushOptions options;
    options.allow_write_stall = true;
    rocksdb::Status status = database->rep->Flush(options, handles);
    if (!status.ok()) *error = strdup(status.ToString().c_str());
}

void crocks_counters_enable(rocksdb_options_t* options) {
    options->rep.statistics = rocksdb::CreateDBStatistics();
    options->rep.statistics->set_stats_level(rocksdb::StatsLevel::kExceptHistogramOrTimers);
}

crocks_counters crocks_counters_read(const rocksdb_options_t* options) {
    const auto& statistics = options->rep.statistics;
    if (!statistics) return {};
    crocks_counters counters;
    counters.block_cache_hits = statistics->getTickerCount(rocksdb::BLOCK_CACHE_HIT);
    counters.block_cache_misses = statistics->getTickerCount(rocksdb::BLOCK_CACHE_MISS);
    counters.bloom_filter_useful = statistics->getTickerCount(rocksdb::BLOOM_FILTER_USEFUL);
    counters.keys_read = statistics->getTickerCount(rocksdb::NUMBER_KEYS_READ);
    counters.keys_written = statistics->getTickerCount(rocksdb::NUMBER_KEYS_WRITTEN);
    counters.bytes_read = statistics->getTickerCount(rocksdb::BYTES_READ);
    counters.bytes_written = statistics->getTickerCount(rocksdb::BYTES_WRITTEN);
    counters.flush_bytes_written = statistics->getTickerCount(rocksdb::FLUSH_WRITE_BYTES);
    counters.compaction_bytes_read = statistics->getTickerCount(rocksdb::COMPACT_READ_BYTES);
    counters.compaction_bytes_written = statistics->getTickerCount(rocksdb::COMPACT_WRITE_BYTES);
    counters.write_stall_micros = statistics->getTickerCount(rocksdb::STALL_MICROS);
    return counters;
}

void crocks_memtable_expect_sorted(rocksdb_options_t* options) {
    options->rep.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(1));
}

namespace {
class NoLog final : public rocksdb::Logger {
  public:
    using rocksdb::Logger::Logv;
    void Logv(const char*, va_list) override {}
};
}  // namespace

void crocks_log_disable(rocksdb_options_t* options) {
    options->rep.info_log = std::make_shared<NoLog>();
}

#else

struct crocks_memory {
    rocksdb_cache_t* cache;
    size_t write_buffer_bytes;
};

crocks_memory* crocks_memory_create(size_t block_cache_bytes, size_t write_buffer_bytes) {
    return new crocks_memory{rocksdb_cache_create_lru(block_cache_bytes + write_buffer_bytes), write_buffer_bytes};
}

void crocks_memory_share_write_buffers(const crocks_memory* memory, rocksdb_options_t* options) {
    rocksdb_options_set_db_write_buffer_size(options, memory->write_buffer_bytes);
}

size_t crocks_memory_write_buffer_usage(const crocks_memory*) {
    return 0;
}

void crocks_flush(rocksdb_t* database, rocksdb_column_family_handle_t* const* families, size_t count, char** error) {
    rocksdb_flushoptions_t* options = rocksdb_flushoptions_create();
    for (size_t i = 0; i < count && *error == nullptr; i++) {
        rocksdb_flush_cf(database, options, families[i], error);
    }
    rocksdb_flushoptions_destroy(options);
}

void crocks_counters_enable(rocksdb_options_t*) {}

crocks_counters crocks_counters_read(const rocksdb_options_t*) {
    return {};
}

void crocks_memtable_expect_sorted(rocksdb_options_t*) {}

void crocks_log_disable(rocksdb_options_t*) {}

#endif

void crocks_memory_destroy(crocks_memory* memory) {
    rocksdb_cache_destroy(memory->cache);
    delete memory;
}

rocksdb_cache_t* crocks_memory_cache(const crocks_memory* memory) {
    return memory->cache;
}
