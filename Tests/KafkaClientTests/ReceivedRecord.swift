import KafkaClient

/// A copy of a consumed record.
struct ReceivedRecord: Hashable {
    var topic: String
    var partition: Int32
    var offset: Int64
    var timestamp: Int64
    var key: [UInt8]?
    var value: [UInt8]?
    var headers: [Header]
    var headersSize: Int

    init(_ record: borrowing ConsumedRecord) {
        topic = record.topic
        partition = record.partition
        offset = record.offset
        timestamp = record.timestamp
        key = record.key.map { Array($0) }
        value = record.value.map { Array($0) }
        headers = record.headers
        headersSize = record.headersSize
    }

    var text: String { String(decoding: value ?? [], as: UTF8.self) }
}
