// The floor: the least that any program on librdkafka, simdjson and RocksDB has to do for the tracker's job. A figure of the tracker
// is worth something as a multiple of this one's.
//
// One thread with one consumer does both hops, as one stream thread of the tracker does:
//   1. poll the input, parse, produce the unchanged value to the repartition topic under the payload id;
//   2. poll the repartition topic, parse, fold into the payload's state, which is cached over RocksDB;
//   at each commit: each dirty state once to the changelog and into one RocksDB batch, the offsets in the same transaction.
// There are no dead letters, timers, indexes, rebalances, restore or recovery: what fails ends the program.

#include <librdkafka/rdkafka.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <simdjson.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

using std::string;
using std::string_view;
using Clock = std::chrono::steady_clock;
namespace ondemand = simdjson::ondemand;

[[noreturn]] __attribute__((format(printf, 1, 2))) static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("floor: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

static volatile sig_atomic_t is_stopping = 0;

// Options

struct Options {
    string bootstrap, application, input, repartition, changelog, outcomes, state;
    bool exactly_once = true;
    bool tells_completed = false;
    int commit_ms = 500, linger_ms = 5, fetch_min_bytes = 1, fetch_wait_ms = 10;
};

static Options options_of(int count, char **arguments) {
    Options options;
    const std::pair<string_view, string *> names[] = {
        {"--bootstrap", &options.bootstrap}, {"--application", &options.application}, {"--input", &options.input},
        {"--repartition", &options.repartition}, {"--changelog", &options.changelog}, {"--outcomes", &options.outcomes},
        {"--state", &options.state}};
    for (int i = 1; i < count; i += 2) {
        const string_view name = arguments[i];
        if (i + 1 == count) fail("%s needs a value", arguments[i]);
        const string value = arguments[i + 1];
        const auto found = std::find_if(std::begin(names), std::end(names), [&](auto &known) { return known.first == name; });
        if (found != std::end(names)) *found->second = value;
        else if (name == "--guarantee") options.exactly_once = value == "exactly_once";
        else if (name == "--completed") options.tells_completed = value == "told";
        else if (name == "--commit-ms") options.commit_ms = atoi(value.c_str());
        else if (name == "--linger-ms") options.linger_ms = atoi(value.c_str());
        else if (name == "--fetch-min-bytes") options.fetch_min_bytes = atoi(value.c_str());
        else if (name == "--fetch-wait-ms") options.fetch_wait_ms = atoi(value.c_str());
        else fail("unknown option %s", arguments[i]);
    }
    for (auto &[name, value] : names)
        if (value->empty()) fail("%s is missing", name.data());
    return options;
}

// Status messages

enum Rank : uint8_t { received, processing, success, invalid, failure };

struct Message {
    string_view id, service, source, status_msg, account, org_id, inventory_id, system_id;
    Rank status = received;
    uint64_t date = 0; // microseconds since 1970
};

static Rank rank_of(string_view word) {
    if (word == "received" || word == "recieved") return received;
    if (word == "success" || word == "processing_success" || word == "successful" || word == "completed") return success;
    if (word == "invalid") return invalid;
    if (word == "failure" || word == "error" || word == "failed" || word == "processing_error" || word == "rejected") return failure;
    return processing;
}

// Of the one form that the benchmarks send: 2023-11-14T22:13:20.000000Z.
static uint64_t micros_of(string_view text) {
    if (text.size() < 27) return 0;
    const auto number = [&](size_t at, size_t length) {
        uint64_t value = 0;
        for (size_t i = at; i < at + length; i++) value = value * 10 + uint64_t(text[i] - '0');
        return value;
    };
    uint64_t year = number(0, 4), month = number(5, 2);
    if (month <= 2) year--, month += 12;
    const uint64_t days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + number(8, 2) - 719469;
    return (days * 86400 + number(11, 2) * 3600 + number(14, 2) * 60 + number(17, 2)) * 1000000 + number(20, 6);
}

static string rfc3339(uint64_t micros) {
    const time_t seconds = time_t(micros / 1000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    char text[40];
    const size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, sizeof text - length, ".%06uZ", unsigned(micros % 1000000));
    return text;
}

class Reader {
    ondemand::parser parser;
    ondemand::document document;
    string buffer;

public:
    // The views hold until the next message is read.
    Message read(const rd_kafka_message_t &record) {
        buffer.reserve(record.len + simdjson::SIMDJSON_PADDING);
        buffer.assign(static_cast<const char *>(record.payload), record.len);
        if (parser.iterate(buffer.data(), record.len, buffer.capacity()).get(document)) fail("not JSON");
        Message message;
        for (auto field : document.get_object()) {
            string_view name, value;
            if (field.unescaped_key().get(name)) fail("not JSON");
            if (field.value().get_string().get(value)) continue;
            if (name == "request_id" || (name == "payload_id" && message.id.empty())) message.id = value;
            else if (name == "service") message.service = value;
            else if (name == "source") message.source = value;
            else if (name == "status") message.status = rank_of(value);
            else if (name == "status_msg") message.status_msg = value;
            else if (name == "date") message.date = micros_of(value);
            else if (name == "account") message.account = value;
            else if (name == "org_id") message.org_id = value;
            else if (name == "inventory_id") message.inventory_id = value;
            else if (name == "system_id") message.system_id = value;
        }
        if (message.id.empty() || message.service.empty()) fail("a message without an id or a service");
        return message;
    }
};

// The state of a payload

struct Stage {
    string name; // service, 0, source
    uint64_t date;
    Rank status;
};

// Its entries are kept as they are encoded, so encoding is copying; the stages are what follows from them.
class State {
    struct Entry {
        uint64_t date;
        Rank status;
        uint8_t stage, attribute; // an attribute is an entry without date: its kind, and its value as text
        uint16_t length;
    };
    static constexpr uint8_t statuses = 0;

    string entries;
    std::vector<Stage> stages;

    bool append(const Entry &entry, string_view text) {
        for (size_t at = 0; at < entries.size();) {
            Entry known;
            memcpy(&known, entries.data() + at, sizeof known);
            if (known.date == entry.date && known.status == entry.status && known.stage == entry.stage
                && known.attribute == entry.attribute && string_view(entries).substr(at + sizeof known, known.length) == text)
                return false;
            at += sizeof known + known.length;
        }
        entries.append(reinterpret_cast<const char *>(&entry), sizeof entry).append(text);
        return true;
    }

    uint8_t stage_of(const Message &message) {
        const size_t length = message.service.size();
        for (size_t i = 0; i < stages.size(); i++) {
            const string_view name = stages[i].name;
            if (name.size() == length + 1 + message.source.size() && name.substr(0, length) == message.service
                && name.substr(length + 1) == message.source)
                return uint8_t(i);
        }
        if (stages.size() == 255) fail("more than 255 stages");
        stages.push_back({string(message.service).append(1, '\0').append(message.source), 0, received});
        return uint8_t(stages.size() - 1);
    }

public:
    enum Outcome : uint8_t { open, completed, failed } outcome = open;
    uint32_t revision = 0;
    uint64_t newest = 0; // the greatest date
    bool is_dirty = false;

    // Whether it changed anything.
    bool fold(const Message &message) {
        const string_view attributes[] = {message.account, message.org_id, message.inventory_id, message.system_id};
        bool changed = false;
        for (uint8_t kind = 0; kind < 4; kind++)
            if (!attributes[kind].empty())
                changed |= append({0, received, 0, uint8_t(kind + 1), uint16_t(attributes[kind].size())}, attributes[kind]);
        const uint8_t place = stage_of(message);
        const string_view text = message.status_msg.substr(0, 4096);
        if (!append({message.date, message.status, place, statuses, uint16_t(text.size())}, text)) return changed;
        Stage &stage = stages[place];
        if (message.date > stage.date || (message.date == stage.date && message.status > stage.status))
            stage.date = message.date, stage.status = message.status;
        newest = std::max(newest, message.date);
        return true;
    }

    Outcome judged() const {
        bool all_succeeded = !stages.empty();
        for (const Stage &stage : stages) {
            if (stage.status >= invalid) return failed;
            all_succeeded &= stage.status == success;
        }
        return all_succeeded ? completed : open;
    }

    void encode(string &into) const {
        const auto number = [&](const auto &value) { into.append(reinterpret_cast<const char *>(&value), sizeof value); };
        into.clear();
        number(outcome), number(revision), number(newest), number(uint8_t(stages.size()));
        for (const Stage &stage : stages) {
            number(stage.date), number(stage.status), number(uint16_t(stage.name.size()));
            into.append(stage.name);
        }
        into.append(entries);
    }

    static State decoded(string_view bytes) {
        State state;
        const auto number = [&](auto &value) {
            memcpy(&value, bytes.data(), sizeof value);
            bytes.remove_prefix(sizeof value);
        };
        uint8_t count;
        number(state.outcome), number(state.revision), number(state.newest), number(count);
        state.stages.resize(count);
        for (Stage &stage : state.stages) {
            uint16_t length;
            number(stage.date), number(stage.status), number(length);
            stage.name = bytes.substr(0, length);
            bytes.remove_prefix(length);
        }
        state.entries = bytes;
        return state;
    }
};

// Kafka

static void check(rd_kafka_error_t *error, const char *what) {
    if (error) fail("%s: %s", what, rd_kafka_error_string(error));
}

static void check(rd_kafka_resp_err_t code, const char *what) {
    if (code) fail("%s: %s", what, rd_kafka_err2str(code));
}

using Settings = std::vector<std::pair<string, string>>;

static void reported(rd_kafka_t *, const rd_kafka_message_t *message, void *) { check(message->err, "a record was not delivered"); }

static rd_kafka_t *client(rd_kafka_type_t type, const Settings &settings) {
    char problem[512];
    rd_kafka_conf_t *configuration = rd_kafka_conf_new();
    for (auto &[name, value] : settings)
        if (rd_kafka_conf_set(configuration, name.c_str(), value.c_str(), problem, sizeof problem)) fail("%s", problem);
    if (type == RD_KAFKA_PRODUCER) rd_kafka_conf_set_dr_msg_cb(configuration, reported);
    rd_kafka_t *made = rd_kafka_new(type, configuration, problem, sizeof problem);
    if (!made) fail("%s", problem);
    return made;
}

class Producer {
    bool is_transactional, has_transaction = false;

public:
    rd_kafka_t *handle;

    Producer(const Options &options, bool transactional) : is_transactional(transactional) {
        Settings settings = {{"bootstrap.servers", options.bootstrap}, {"enable.idempotence", "true"}, {"compression.codec", "lz4"},
            {"linger.ms", std::to_string(options.linger_ms)}, {"batch.size", "262144"}, {"queue.buffering.max.messages", "1000000"},
            {"partitioner", "murmur2_random"}, {"delivery.report.only.error", "true"}, {"socket.nagle.disable", "true"}};
        if (transactional) settings.push_back({"transactional.id", options.application + "-0"});
        handle = client(RD_KAFKA_PRODUCER, settings);
        if (transactional) check(rd_kafka_init_transactions(handle, 60000), "transactions");
    }

    rd_kafka_topic_t *topic(const string &name) {
        rd_kafka_topic_t *made = rd_kafka_topic_new(handle, name.c_str(), nullptr);
        if (!made) fail("topic %s", name.c_str());
        return made;
    }

    void begin() {
        if (!is_transactional || has_transaction) return;
        check(rd_kafka_begin_transaction(handle), "begin");
        has_transaction = true;
    }

    void produce(rd_kafka_topic_t *topic, int32_t partition, string_view key, string_view value) {
        begin();
        while (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, const_cast<char *>(value.data()), value.size(), key.data(),
                                key.size(), nullptr)) {
            if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) check(rd_kafka_last_error(), "produce");
            rd_kafka_poll(handle, 10);
        }
    }

    void flush() { check(rd_kafka_flush(handle, 60000), "flush"); }

    void commit(const rd_kafka_topic_partition_list_t *offsets, rd_kafka_t *consumer) {
        begin();
        rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(consumer);
        check(rd_kafka_send_offsets_to_transaction(handle, offsets, group, 60000), "offsets");
        rd_kafka_consumer_group_metadata_destroy(group);
        check(rd_kafka_commit_transaction(handle, 60000), "commit");
        has_transaction = false;
    }
};

// The whole

static rocksdb::DB *database(const string &directory) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.compression = rocksdb::kLZ4Compression;
    rocksdb::BlockBasedTableOptions table;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.block_cache = rocksdb::NewLRUCache(64 << 20);
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    rocksdb::DB *opened;
    const rocksdb::Status status = rocksdb::DB::Open(options, directory, &opened);
    if (!status.ok()) fail("%s", status.ToString().c_str());
    return opened;
}

class Floor {
    static constexpr size_t cached_at_most = 100000;
    static constexpr size_t queued = 10000;

    struct Cached {
        State state;
        int32_t partition;
    };

    const Options options;
    rd_kafka_t *consumer;
    Producer forwarding, telling;
    rd_kafka_topic_t *repartition, *changelog, *outcomes;
    std::unique_ptr<rocksdb::DB> store;
    Reader reader;
    std::unordered_map<string, Cached> cache;
    std::vector<std::pair<const string, Cached> *> dirty;
    std::vector<int64_t> input_next, repartition_next; // by partition: the offset to commit, -1 where nothing came
    string key, encoded;
    Clock::time_point woken;

public:
    explicit Floor(const Options &given)
        : options(given), forwarding(options, false), telling(options, options.exactly_once), store(database(options.state)) {
        repartition = forwarding.topic(options.repartition);
        changelog = telling.topic(options.changelog);
        outcomes = telling.topic(options.outcomes);
        consumer = client(RD_KAFKA_CONSUMER, {{"bootstrap.servers", options.bootstrap}, {"group.id", options.application},
            {"enable.auto.commit", "false"}, {"auto.offset.reset", "earliest"}, {"isolation.level", "read_committed"},
            {"queued.min.messages", std::to_string(queued)}, {"max.partition.fetch.bytes", "262144"}, {"queued.max.messages.kbytes", "65536"}, {"fetch.wait.max.ms", std::to_string(options.fetch_wait_ms)},
            {"fetch.min.bytes", std::to_string(options.fetch_min_bytes)}, {"socket.nagle.disable", "true"}});
        rd_kafka_poll_set_consumer(consumer);
        rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(2);
        rd_kafka_topic_partition_list_add(topics, options.input.c_str(), RD_KAFKA_PARTITION_UA);
        rd_kafka_topic_partition_list_add(topics, options.repartition.c_str(), RD_KAFKA_PARTITION_UA);
        check(rd_kafka_subscribe(consumer, topics), "subscribe");
        rd_kafka_topic_partition_list_destroy(topics);
    }

    void run() {
        rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
        rd_kafka_message_t *batch[2000];
        auto committed = Clock::now();
        while (!is_stopping) {
            ssize_t count = rd_kafka_consume_batch_queue(queue, 0, batch, std::size(batch));
            // The batch call would wait its whole timeout to fill the batch; this one returns with the first record.
            if (count <= 0 && (batch[0] = rd_kafka_consumer_poll(consumer, 1))) count = 1;
            for (ssize_t i = 0; i < count; i++) {
                if (batch[i]->err) check(batch[i]->err, rd_kafka_message_errstr(batch[i]));
                take(*batch[i]);
                rd_kafka_message_destroy(batch[i]);
            }
            fetch_in_time(queue);
            rd_kafka_poll(forwarding.handle, 0);
            rd_kafka_poll(telling.handle, 0);
            if (Clock::now() - committed >= std::chrono::milliseconds(options.commit_ms)) {
                commit();
                committed = Clock::now();
            }
        }
        commit();
        rd_kafka_queue_destroy(queue);
        rd_kafka_consumer_close(consumer);
    }

private:
    // As the tracker does it: docs/architecture.md, "Reading under backlog".
    void fetch_in_time(rd_kafka_queue_t *queue) {
        const auto now = Clock::now();
        if (rd_kafka_queue_length(queue) >= queued / 2 || now - woken < std::chrono::milliseconds(10)) return;
        woken = now;
        rd_kafka_topic_partition_list_t *assigned;
        if (rd_kafka_assignment(consumer, &assigned)) return;
        for (int i = 0; i < assigned->cnt; i++) assigned->elems[i].offset = RD_KAFKA_OFFSET_END;
        if (assigned->cnt) rd_kafka_offsets_for_times(consumer, assigned, 0);
        rd_kafka_topic_partition_list_destroy(assigned);
    }

    void take(const rd_kafka_message_t &record) {
        const Message message = reader.read(record);
        const bool is_input = options.input == rd_kafka_topic_name(record.rkt);
        if (is_input) {
            const string_view value(static_cast<const char *>(record.payload), record.len);
            forwarding.produce(repartition, RD_KAFKA_PARTITION_UA, message.id, value);
        } else {
            fold(message, record.partition);
        }
        auto &next = is_input ? input_next : repartition_next;
        if (size_t(record.partition) >= next.size()) next.resize(size_t(record.partition) + 1, -1);
        next[size_t(record.partition)] = record.offset + 1;
    }

    void fold(const Message &message, int32_t partition) {
        key.assign(message.id);
        auto found = cache.find(key);
        if (found == cache.end()) {
            rocksdb::PinnableSlice stored;
            const bool is_known = store->Get({}, store->DefaultColumnFamily(), key, &stored).ok();
            State state = is_known ? State::decoded({stored.data(), stored.size()}) : State();
            found = cache.emplace(key, Cached{std::move(state), partition}).first;
        }
        State &state = found->second.state;
        if (!state.fold(message)) return;
        if (!state.is_dirty) dirty.push_back(&*found);
        state.is_dirty = true;
        const State::Outcome outcome = state.judged();
        if (outcome == state.outcome) return;
        state.outcome = outcome;
        if (outcome == State::failed || (outcome == State::completed && options.tells_completed)) tell(key, state, partition);
    }

    void tell(const string &id, State &state, int32_t partition) {
        const char *type = state.outcome == State::failed ? "payload-failed" : "payload-completed";
        const string revision = std::to_string(++state.revision);
        const string event = "{\"id\":\"" + id + ":" + revision + "\",\"type\":\"" + type + "\",\"revision\":" + revision
            + ",\"payload_id\":\"" + id + "\",\"ended_at\":\"" + rfc3339(state.newest) + "\"}";
        telling.produce(outcomes, partition, id, event);
    }

    void commit() {
        rocksdb::WriteBatch batch;
        for (auto *entry : dirty) {
            entry->second.state.encode(encoded);
            telling.produce(changelog, entry->second.partition, entry->first, encoded);
            batch.Put(entry->first, encoded);
            entry->second.state.is_dirty = false;
        }
        rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(64);
        take_offsets(options.input, input_next, offsets);
        take_offsets(options.repartition, repartition_next, offsets);
        if (offsets->cnt > 0) {
            forwarding.flush();
            if (options.exactly_once) {
                telling.commit(offsets, consumer);
            } else {
                telling.flush();
                check(rd_kafka_commit(consumer, offsets, 0), "commit");
            }
            if (!dirty.empty() && !store->Write({}, &batch).ok()) fail("the store could not be written");
        }
        rd_kafka_topic_partition_list_destroy(offsets);
        dirty.clear();
        if (cache.size() > cached_at_most) cache.clear();
    }

    static void take_offsets(const string &topic, std::vector<int64_t> &next, rd_kafka_topic_partition_list_t *offsets) {
        for (size_t partition = 0; partition < next.size(); partition++) {
            if (next[partition] < 0) continue;
            rd_kafka_topic_partition_list_add(offsets, topic.c_str(), int32_t(partition))->offset = next[partition];
            next[partition] = -1;
        }
    }
};

int main(int count, char **arguments) {
    signal(SIGTERM, [](int) { is_stopping = 1; });
    signal(SIGINT, [](int) { is_stopping = 1; });
    Floor(options_of(count, arguments)).run();
}
