import CRdKafka

/// A topic as the cluster describes it.
public struct TopicMetadata: Hashable, Sendable {
    public struct Partition: Hashable, Sendable {
        public let id: Int32
        /// The broker that leads it; nil while there is none.
        public let leader: Int32?
        public let replicas: [Int32]
        public let inSyncReplicas: [Int32]
    }

    public let name: String
    /// By id.
    public let partitions: [Partition]
}

extension TopicMetadata {
    /// Asks a broker for all topics, by name. Never for some by name: brokers that do not know KIP-487 would create those
    /// that are missing.
    static func fetchAll(
        from client: OpaquePointer,
        timeout: Duration
    ) throws(KafkaError) -> [String: Result<TopicMetadata, KafkaError>] {
        var metadata: UnsafePointer<rd_kafka_metadata>?
        try KafkaError.check(rd_kafka_metadata(client, 1, nil, &metadata, timeout.milliseconds))
        guard let metadata else { return [:] }
        defer { rd_kafka_metadata_destroy(metadata) }
        var topics: [String: Result<TopicMetadata, KafkaError>] = [:]
        for topic in UnsafeBufferPointer(start: metadata.pointee.topics, count: Int(metadata.pointee.topic_cnt)) {
            let name = String(cString: topic.topic)
            guard topic.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
                topics[name] = .failure(KafkaError(KafkaError.Code(topic.err), about: name))
                continue
            }
            let partitions = UnsafeBufferPointer(start: topic.partitions, count: Int(topic.partition_cnt))
                .map(Partition.init)
                .sorted { $0.id < $1.id }
            topics[name] = .success(TopicMetadata(name: name, partitions: partitions))
        }
        return topics
    }
}

extension TopicMetadata.Partition {
    init(_ partition: rd_kafka_metadata_partition) {
        id = partition.id
        leader = partition.leader < 0 ? nil : partition.leader
        replicas = Array(UnsafeBufferPointer(start: partition.replicas, count: Int(partition.replica_cnt)))
        inSyncReplicas = Array(UnsafeBufferPointer(start: partition.isrs, count: Int(partition.isr_cnt)))
    }
}
