import CRdKafka

extension Consumer {
    /// Commits the offset to read next of each partition, and waits for the group's coordinator to answer. After a timeout
    /// the commit may still happen.
    ///
    /// - Parameter metadata: A text to go with each of them; whoever asks for the commit gets it.
    public func commit(
        _ offsets: [TopicPartition: Int64],
        metadata: String = "",
        timeout: Duration = .seconds(30)
    ) throws(KafkaError) {
        guard !offsets.isEmpty else { return }
        let client = try client.open()
        let list = TopicPartitionList(offsets)
        list.setMetadata(metadata)
        // The library's own synchronous commit has no timeout.
        guard let queue = rd_kafka_queue_new(client) else { throw .closed }
        defer { rd_kafka_queue_destroy(queue) }
        try KafkaError.check(rd_kafka_commit_queue(client, list.pointer, queue, nil, nil))
        guard let answer = rd_kafka_queue_poll(queue, timeout.milliseconds) else {
            throw KafkaError(.timedOut, "The commit was not answered in time")
        }
        defer { rd_kafka_event_destroy(answer) }
        // The answer as a whole says less than its partitions do.
        for element in rd_kafka_event_topic_partition_list(answer)?.pointee.elements ?? .empty {
            try KafkaError.check(element.err, element.topicPartition)
        }
        try KafkaError.check(rd_kafka_event_error(answer))
    }

    /// What a group committed for a partition.
    public struct Commit: Hashable, Sendable {
        /// To read next.
        public var offset: Int64
        /// What whoever committed it had to say; mostly nothing.
        public var metadata: String
    }

    /// What the group committed for each partition. Partitions without a commit are absent.
    public func commits(
        of partitions: [TopicPartition],
        timeout: Duration
    ) throws(KafkaError) -> [TopicPartition: Commit] {
        guard !partitions.isEmpty else { return [:] }
        let list = TopicPartitionList(partitions)
        try KafkaError.check(rd_kafka_committed(try client.open(), list.pointer, timeout.milliseconds))
        try list.checkEach()
        return list.commits
    }

    /// What the group committed for each partition: the offset to read next. Partitions without a commit are absent.
    public func committed(
        _ partitions: [TopicPartition],
        timeout: Duration
    ) throws(KafkaError) -> [TopicPartition: Int64] {
        try commits(of: partitions, timeout: timeout).mapValues(\.offset)
    }

    /// One more than the offset of the last record that `poll` brought, for each partition. Partitions of which it brought
    /// none since they were assigned or sought are absent.
    public func position(_ partitions: [TopicPartition]) -> [TopicPartition: Int64] {
        guard let client = client.pointer else { return [:] }
        let list = TopicPartitionList(partitions)
        rd_kafka_position(client, list.pointer)
        return list.offsets
    }

    /// Asks the partition's leader for its first offset and the one after its last. With `isolation.level=read_committed`
    /// the last is that of the last stable record: ask for the log's end with a consumer that reads uncommitted.
    public func watermarks(
        _ partition: TopicPartition,
        timeout: Duration
    ) throws(KafkaError) -> (low: Int64, high: Int64) {
        // Not rd_kafka_query_watermark_offsets: before 2.3.0 it can wait for ever.
        let deadline = ContinuousClock.now + timeout
        let low = try offsets(at: [partition: Self.offsetBeginning], timeout: timeout)[partition]
        let high = try offsets(at: [partition: Self.offsetEnd], timeout: deadline - .now)[partition]
        guard let low, let high else { throw KafkaError(.unknownPartition, about: partition) }
        return (low, high)
    }

    /// The partition's end as the last fetch saw it, without asking anyone: open transactions included. Nil before the first fetch.
    public func knownEnd(of partition: TopicPartition) -> Int64? {
        var low: Int64 = -1
        var high: Int64 = -1
        guard let client = client.pointer,
            rd_kafka_get_watermark_offsets(client, partition.topic, partition.partition, &low, &high)
                == RD_KAFKA_RESP_ERR_NO_ERROR
        else { return nil }
        return high < 0 ? nil : high
    }

    /// Has the library see at once that it should fetch more of the partitions. Does not wait.
    ///
    /// When its queue was full, the thread that fetches sleeps until something wakes it, for up to a second: 2.0.2 has nobody look whether the
    /// queue has become short meanwhile. A question to the partitions' leaders wakes it; nobody reads the answers.
    public func resumeFetching(_ partitions: [TopicPartition]) {
        guard let client = client.pointer, !partitions.isEmpty else { return }
        let list = TopicPartitionList(Dictionary(uniqueKeysWithValues: partitions.map { ($0, Self.offsetEnd) }))
        rd_kafka_offsets_for_times(client, list.pointer, 0)
    }

    /// The offset of the first record of each partition that is as young as the timestamp (milliseconds since 1970) or
    /// younger. Partitions without such a record are absent.
    public func offsets(
        at timestamps: [TopicPartition: Int64],
        timeout: Duration
    ) throws(KafkaError) -> [TopicPartition: Int64] {
        guard !timestamps.isEmpty else { return [:] }
        let list = TopicPartitionList(timestamps)
        try KafkaError.check(rd_kafka_offsets_for_times(try client.open(), list.pointer, timeout.milliseconds))
        try list.checkEach()
        return list.offsets
    }
}
