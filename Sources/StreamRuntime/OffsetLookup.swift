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
    mutating func ends(of partitions: [TopicPartition], timeout: Duration) throws(StreamError)
        -> [TopicPartition: Int64]
    {
        try offsets(of: partitions, at: Consumer.offsetEnd, timeout)
    }

    /// The offset of the first record that each partition still has, or would have.
    mutating func starts(of partitions: [TopicPartition], timeout: Duration) throws(StreamError)
        -> [TopicPartition: Int64]
    {
        try offsets(of: partitions, at: Consumer.offsetBeginning, timeout)
    }

    private mutating func offsets(of partitions: [TopicPartition], at position: Int64, _ timeout: Duration)
        throws(StreamError) -> [TopicPartition: Int64]
    {
        let consumer = try opened()
        let ask = Dictionary(uniqueKeysWithValues: partitions.map { ($0, position) })
        return try withKafka { () throws(KafkaError) in try consumer.offsets(at: ask, timeout: timeout) }
    }

    mutating func close() {
        consumer?.close(timeout: .seconds(1), waits: false)
        consumer = nil
    }

    private mutating func opened() throws(StreamError) -> Consumer {
        if let consumer { return consumer }
        let opened = try withKafka { () throws(KafkaError) in try Consumer(configuration, events: events) }
        consumer = opened
        return opened
    }
}
