import KafkaClient
import Metrics
import PayloadModel
import StreamRuntime

/// Writes outcome events to their topic: JSON under the payload's id, in CloudEvents 1.0 Kafka binary mode (contract, section 4).
final class OutcomeWriter {
    private let context: ProcessorContext
    private let topic: OutputTopic
    private let source: [UInt8]
    private let counters: [Outcome: Counter]

    init(_ context: ProcessorContext, topic: String, source: String) throws(StreamError) {
        self.context = context
        self.topic = try context.output(topic, lane: .output)
        self.source = Array(source.utf8)
        counters = Dictionary(
            uniqueKeysWithValues: Outcome.allCases.map {
                ($0, Counter(label: "payload_tracker_outcomes", dimensions: [("outcome", $0.name)]))
            }
        )
    }

    func send(_ event: OutcomeEvent) throws(StreamError) {
        let headers = [
            Header(name: "ce_specversion", value: Array("1.0".utf8)),
            Header(name: "ce_id", value: Array(event.id.utf8)),
            Header(name: "ce_type", value: Array(event.type.utf8)),
            Header(name: "ce_source", value: source),
            Header(name: "ce_time", value: Array(event.emittedAt.description.utf8)),
            Header(name: "content-type", value: Array("application/json".utf8)),
        ]
        try event.payloadID.withUTF8 { key throws(StreamError) in
            try event.json.span.bytes.withUnsafeBytes { value throws(StreamError) in
                try context.send(to: topic, key: key, value: value, headers: RecordHeaders(headers))
            }
        }
        counters[event.outcome]?.increment()
    }
}
