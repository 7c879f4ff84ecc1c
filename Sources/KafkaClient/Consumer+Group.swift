import CRdKafka

extension Consumer {
    /// For `Producer.sendOffsets`. nil once closed.
    public func groupMetadata() -> ConsumerGroupMetadata? {
        client.pointer.flatMap { rd_kafka_consumer_group_metadata($0) }.map { ConsumerGroupMetadata(taking: $0) }
    }

    /// What the coordinator calls this member; nil while it is not in the group.
    public var memberID: String? {
        guard let client = client.pointer, let text = rd_kafka_memberid(client) else { return nil }
        defer { rd_kafka_mem_free(client, text) }
        let id = String(cString: text)
        return id.isEmpty ? nil : id
    }

    public var rebalanceProtocol: RebalanceProtocol {
        client.pointer.map(Self.rebalanceProtocol(of:)) ?? .none
    }

    static func rebalanceProtocol(of client: OpaquePointer) -> RebalanceProtocol {
        rd_kafka_rebalance_protocol(client).flatMap { RebalanceProtocol(rawValue: String(cString: $0)) } ?? .none
    }

    /// The number of partitions of `topic`; nil if there is no such topic. Does not create it.
    public func partitionCount(of topic: String, timeout: Duration) throws(KafkaError) -> Int? {
        try TopicMetadata.fetchAll(from: try client.open(), timeout: timeout)[topic]?.get().partitions.count
    }

    /// Set once the client can do nothing more; for instance when another took over its `group.instance.id`.
    public var fatalError: KafkaError? { client.fatalError }
}
