import KafkaClient
import Metrics
import PayloadModel
import StreamRuntime

/// Sends records that cannot be taken to the dead-letter topic (contract, section 5).
struct DeadLetters {
    private let context: ProcessorContext
    private let topic: OutputTopic
    private let activity: PayloadActivity
    private let maxMessageBytes: Int
    private var counters: [CounterKey: Counter] = [:]

    private struct CounterKey: Hashable {
        var reason: Refusal.Reason
        var service: Text?
    }

    /// A value that the topic refuses for its size is cut to this.
    private static let cutValueBytes = 512 << 10
    /// What a record batch takes besides key, value and headers, generously.
    private static let batchOverheadBytes = 512
    /// Kafka's default for a topic whose limit is not known.
    private static let defaultMaxMessageBytes = 1_048_588
    /// Services are told apart in the metric up to this number, whatever producers send.
    private static let maxServices = 100

    init(_ context: ProcessorContext, topic: String, activity: PayloadActivity) throws(StreamError) {
        self.context = context
        self.activity = activity
        self.topic = try context.output(topic, lane: .output)
        maxMessageBytes = context.topics[topic]?.maxMessageBytes ?? DeadLetters.defaultMaxMessageBytes
    }

    mutating func send(_ record: borrowing ConsumedRecord, _ refusal: Refusal) throws(StreamError) {
        count(refusal)
        var headers = [
            Header(name: "dlq.reason", value: Array(refusal.reason.rawValue.utf8)),
            Header(name: "dlq.detail", value: Array(refusal.detail.utf8)),
            Header(name: "dlq.topic", value: Array(context.id.topic.utf8)),
            Header(name: "dlq.partition", value: Array("\(record.partition)".utf8)),
            Header(name: "dlq.offset", value: Array("\(record.offset)".utf8)),
            Header(name: "dlq.timestamp", value: Array("\(record.timestamp)".utf8)),
        ]
        var value = record.value
        let added = headers.reduce(DeadLetters.batchOverheadBytes) {
            $0 + $1.name.utf8.count + ($1.value?.count ?? 0) + 10
        }
        // A key or headers that fill the topic's limit by themselves cannot be kept.
        let keepsKey = added + (record.key?.count ?? 0) <= maxMessageBytes
        if !keepsKey { headers.append(Header(name: "dlq.key-dropped", value: Array("true".utf8))) }
        let keyBytes = keepsKey ? record.key?.count ?? 0 : 0
        let keepsHeaders = added + keyBytes + record.headersSize <= maxMessageBytes
        if !keepsHeaders { headers.append(Header(name: "dlq.headers-dropped", value: Array("true".utf8))) }
        let room = maxMessageBytes - added - keyBytes - (keepsHeaders ? record.headersSize : 0)
        if let whole = value, whole.count > room {
            value = UnsafeRawBufferPointer(rebasing: whole.prefix(min(DeadLetters.cutValueBytes, max(room, 0))))
            headers.append(Header(name: "dlq.truncated", value: Array("true".utf8)))
            headers.append(Header(name: "dlq.original-size", value: Array("\(whole.count)".utf8)))
        }
        let all = keepsHeaders ? RecordHeaders(copying: record, adding: headers) : RecordHeaders(headers)
        try context.send(
            to: topic,
            key: keepsKey ? record.key : nil,
            value: value,
            headers: all
        )
    }

    private mutating func count(_ refusal: Refusal) {
        activity.addDeadLetter(refusal.reason)
        var key = CounterKey(reason: refusal.reason, service: refusal.service)
        if counters[key] == nil && counters.count >= DeadLetters.maxServices { key.service = nil }
        if counters[key] == nil {
            counters[key] = Counter(
                label: "payload_tracker_dead_letters",
                dimensions: [("reason", refusal.reason.rawValue), ("service", key.service?.string ?? "")]
            )
        }
        counters[key]?.increment()
    }
}
