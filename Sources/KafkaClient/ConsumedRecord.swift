import CRdKafka
import Foundation

/// A record as it came from the broker. It owns librdkafka's message: key and value are read in place, and freed with the
/// record. Let go of it before its consumer is closed: the library waits for it.
public struct ConsumedRecord: ~Copyable {
    private let message: UnsafeMutablePointer<rd_kafka_message_t>

    /// Takes over `message`.
    init(taking message: UnsafeMutablePointer<rd_kafka_message_t>) {
        self.message = message
    }

    deinit { rd_kafka_message_destroy(message) }

    /// Stands for the topic in fast tables, without a string. It holds while the topic is assigned; another topic may get
    /// the same one later.
    public var topicHandle: UnsafeRawPointer { UnsafeRawPointer(message.pointee.rkt) }

    /// A new string at each call.
    public var topic: String { String(cString: rd_kafka_topic_name(message.pointee.rkt)) }

    public var partition: Int32 { message.pointee.partition }

    public var offset: Int64 { message.pointee.offset }

    /// Milliseconds since 1970, as the producer or the broker set it (KIP-32); -1 if there is none.
    public var timestamp: Int64 {
        var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        return rd_kafka_message_timestamp(message, &type)
    }

    /// nil is null; an empty key is an empty buffer. Valid while the record lives.
    public var key: UnsafeRawBufferPointer? {
        message.pointee.key.map { UnsafeRawBufferPointer(start: $0, count: message.pointee.key_len) }
    }

    /// nil is null, a tombstone; an empty value is an empty buffer. Valid while the record lives.
    public var value: UnsafeRawBufferPointer? {
        message.pointee.payload.map { UnsafeRawBufferPointer(start: $0, count: message.pointee.len) }
    }

    /// In their order, with duplicates. Parsed at each call.
    public var headers: [Header] {
        var headers: [Header] = []
        forEachHeader { name, value in
            headers.append(Header(name: String(cString: name), value: value.map { Array($0) }))
        }
        return headers
    }

    /// The bytes of all header names and values; 0, at no cost, without headers.
    public var headersSize: Int {
        var size = 0
        forEachHeader { name, value in
            size += strlen(name) + (value?.count ?? 0)
        }
        return size
    }

    /// The library's list, which belongs to the message; nil without headers. It is parsed once, at the first call.
    var headerList: OpaquePointer? {
        var list: OpaquePointer?
        guard rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        return list
    }

    private func forEachHeader(_ body: (UnsafePointer<CChar>, UnsafeRawBufferPointer?) -> Void) {
        guard let list = headerList else { return }
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        for index in 0..<rd_kafka_header_cnt(list) {
            rd_kafka_header_get_all(list, index, &name, &value, &size)
            guard let name else { continue }
            body(name, value.map { UnsafeRawBufferPointer(start: $0, count: size) })
        }
    }
}
