import KafkaClient

/// Asks for the ends of partitions. At read_committed the client answers with the last stable offset, so it has a read_uncommitted
/// consumer of its own, open only while it is needed.
struct OffsetLookup {
    private let configuration: ClientConfiguration
    private let events: ClientEvents
    private var consumer: Consumer?

    init(_ configuration: ClientConfiguration, events: ClientEvents) {
        self.configuration = configuration
        self.events = events
    }

    /// The offset that the next record of each partition will get.
    mutating func ends(of partitions: [TopicPartition]) throws(StreamError) -> [TopicPartition: Int64] {
        let consumer = try opened()
        let ask = Dictionary(uniqueKeysWithValues: partitions.map { ($0, Consumer.offsetEnd) })
        return try withKafka { () throws(KafkaError) in try consumer.offsets(at: ask, timeout: .seconds(10)) }
    }

    mutating func end(of partition: TopicPartition) throws(StreamError) -> Int64 {
        guard let end = try ends(of: [partition])[partition] else {
            throw .kafka(KafkaError(.unknownPartition, "\(partition): its end cannot be found"))
        }
        return end
    }

    mutating func close() {
        consumer?.close()
        consumer = nil
    }

    private mutating func opened() throws(StreamError) -> Consumer {
        if let consumer { return consumer }
        let opened = try withKafka { () throws(KafkaError) in try Consumer(configuration, events: events) }
        consumer = opened
        return opened
    }
}
