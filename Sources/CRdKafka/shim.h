#pragma once
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

/// rd_kafka_producev for Swift, which cannot call variadic functions. Key and value are copied; a size of -1 stands for
/// null, so that an empty buffer stays an empty one. The headers belong to the library when this returns no error, and
/// stay the caller's otherwise. A timestamp of 0 means now.
static inline rd_kafka_resp_err_t rdkafka_shim_produce(rd_kafka_t *client, rd_kafka_topic_t *topic, int32_t partition,
                                                       const void *key, ssize_t key_size, const void *value,
                                                       ssize_t value_size, int64_t timestamp,
                                                       rd_kafka_headers_t *headers, void *opaque) {
    // The library's macros do not parenthesise their arguments: hand them plain names.
    const void *key_bytes = key_size < 0 ? NULL : (key ? key : "");
    void *value_bytes = value_size < 0 ? NULL : (void *)(value ? value : "");
    size_t key_length = key_size < 0 ? 0 : (size_t)key_size;
    size_t value_length = value_size < 0 ? 0 : (size_t)value_size;
    return rd_kafka_producev(client, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition),
                             RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key_bytes, key_length),
                             RD_KAFKA_V_VALUE(value_bytes, value_length), RD_KAFKA_V_TIMESTAMP(timestamp),
                             RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
}
