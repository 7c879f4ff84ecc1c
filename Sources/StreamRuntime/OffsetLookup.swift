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

    mutating func end(of partition: TopicPartition) throws(StreamError) -> Int64 {
        let consumer = try opened()
        return try withKafka { () throws(KafkaError) in try consumer.watermarks(partition, timeout: .seconds(10)).high }
    }

    mutating func ends(of topic: String, count: Int32) throws(StreamError) -> [TopicPartition: Int64] {
        var ends: [TopicPartition: Int64] = [:]
        for partition in 0..<count {
            let partition = TopicPartition(topic: topic, partition: partition)
            ends[partition] = try end(of: partition)
        }
        return ends
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
