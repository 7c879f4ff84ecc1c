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
    /// Asks a broker for one topic, or for all of them if `topic` is nil. Topics that do not exist are left out.
    static func fetch(
        _ topic: String?,
        from client: OpaquePointer,
        timeout: Duration
    ) throws(KafkaError) -> [TopicMetadata] {
        var handle: OpaquePointer?
        if let topic {
            handle = rd_kafka_topic_new(client, topic, nil)
            guard handle != nil else { throw KafkaError(KafkaError.Code(rd_kafka_last_error()), about: topic) }
        }
        defer { if let handle { rd_kafka_topic_destroy(handle) } }
        var metadata: UnsafePointer<rd_kafka_metadata>?
        try KafkaError.check(rd_kafka_metadata(client, topic == nil ? 1 : 0, handle, &metadata, timeout.milliseconds))
        guard let metadata else { return [] }
        defer { rd_kafka_metadata_destroy(metadata) }
        var topics: [TopicMetadata] = []
        for topic in UnsafeBufferPointer(start: metadata.pointee.topics, count: Int(metadata.pointee.topic_cnt)) {
            let name = String(cString: topic.topic)
            if topic.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART { continue }
            try KafkaError.check(topic.err, name)
            let partitions = UnsafeBufferPointer(start: topic.partitions, count: Int(topic.partition_cnt))
            topics.append(
                TopicMetadata(name: name, partitions: partitions.map(Partition.init).sorted { $0.id < $1.id })
            )
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
