import KafkaClient
import Metrics
import PayloadModel
import StreamRuntime

/// Checks each status message and forwards it, unchanged, to the repartition topic under its normalised payload id. Keeps no state:
/// forwarding twice changes nothing, because folding the same entry twice does not.
final class RepartitionProcessor: Processor {
    private let context: ProcessorContext
    private let decoder: StatusDecoder
    private let repartition: OutputTopic
    private let partitionCount: Int32
    private let maxMessageBytes: Int?
    private var deadLetters: DeadLetters
    private let tombstones = Counter(label: "payload_tracker_tombstones")

    init(_ context: ProcessorContext, topics: PayloadTopology.Topics, rules: PayloadRules, activity: PayloadActivity)
        throws(StreamError)
    {
        self.context = context
        decoder = StatusDecoder(vocabulary: rules.vocabulary, statusMessageMaxBytes: rules.statusMessageMaxBytes)
        repartition = try context.output(topics.repartition, lane: .repartition)
        guard let entry = context.topics[topics.repartition] else {
            throw .incompatible("topic \(topics.repartition) is not part of the topology")
        }
        partitionCount = entry.partitionCount
        maxMessageBytes = entry.maxMessageBytes
        deadLetters = try DeadLetters(context, topic: topics.deadLetter, activity: activity)
    }

    func process(_ record: borrowing ConsumedRecord) throws(StreamError) {
        guard let value = record.value else {
            tombstones.increment()
            return
        }
        let message: StatusMessage
        do {
            message = try decoder.decode(value, recordTimestamp: record.timestamp)
        } catch {
            try deadLetters.send(record, error)
            return
        }
        let headersBytes = record.headersSize
        if let refusal = tooLargeToForward(valueBytes: value.count, headersBytes: headersBytes, message) {
            try deadLetters.send(record, refusal)
            return
        }
        try message.payloadID.withUTF8 { key throws(StreamError) in
            try context.send(
                to: repartition,
                partition: Partitioner.murmur2(key, partitionCount: partitionCount),
                key: key,
                value: value,
                // To the client 0 means now; a record from the first millisecond of 1970 moves on by one.
                timestamp: record.timestamp == 0 ? 1 : max(record.timestamp, 0),
                headers: headersBytes == 0 ? .none : RecordHeaders(copying: record)
            )
        }
    }

    /// A value within the limit may still not fit the repartition topic with its headers.
    private func tooLargeToForward(valueBytes: Int, headersBytes: Int, _ message: StatusMessage) -> Refusal? {
        let overhead = PayloadID.maxBytes + 256
        guard let limit = maxMessageBytes, valueBytes + headersBytes + overhead > limit else { return nil }
        return Refusal(
            .tooLarge,
            "the value has \(valueBytes) bytes and the headers \(headersBytes), together more than fit topic \(repartition.name); send less",
            service: message.service
        )
    }
}
