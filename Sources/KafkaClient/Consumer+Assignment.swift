import CRdKafka
import Foundation

extension Consumer {
    /// For `assign` and `seek`: the oldest record there is.
    public static let offsetBeginning = Int64(RD_KAFKA_OFFSET_BEGINNING)
    /// For `assign` and `seek`: the next record to come.
    public static let offsetEnd = Int64(RD_KAFKA_OFFSET_END)
    /// For `assign`: where the group's commit says, or as `auto.offset.reset` says.
    public static let offsetCommitted = Int64(RD_KAFKA_OFFSET_STORED)

    /// Reads these partitions from these offsets, instead of any that are assigned now. Not together with `subscribe`.
    public func assign(_ partitions: [TopicPartition: Int64]) throws(KafkaError) {
        let list = TopicPartitionList(partitions)
        try KafkaError.check(rd_kafka_assign(try client.open(), list.pointer))
    }

    /// Gives up what `assign` assigned.
    public func unassign() {
        if let client = client.pointer { rd_kafka_assign(client, nil) }
    }

    /// What is assigned now, in no particular order.
    public var assignment: [TopicPartition] {
        guard let client = client.pointer else { return [] }
        var list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
        guard rd_kafka_assignment(client, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return [] }
        return TopicPartitionList(taking: list).partitions
    }

    /// True if the group went on without this consumer, from when that is known until its partitions are revoked.
    public var isAssignmentLost: Bool {
        guard let client = client.pointer else { return false }
        return rd_kafka_assignment_lost(client) != 0
    }

    /// Stops bringing records of these partitions, fetched ones too, until `resume`. A new assignment is never paused.
    public func pause(_ partitions: [TopicPartition]) throws(KafkaError) {
        let list = TopicPartitionList(partitions)
        try KafkaError.check(rd_kafka_pause_partitions(try client.open(), list.pointer))
        try list.checkEach()
    }

    /// Goes on with these partitions. Resume only what is paused: librdkafka before 2.4.0 may go back to an old position
    /// otherwise.
    public func resume(_ partitions: [TopicPartition]) throws(KafkaError) {
        let list = TopicPartitionList(partitions)
        try KafkaError.check(rd_kafka_resume_partitions(try client.open(), list.pointer))
        try list.checkEach()
    }

    /// Goes on from other offsets; what was fetched already is dropped. A partition that was assigned just now is waited
    /// for until it can be sought.
    public func seek(_ offsets: [TopicPartition: Int64], timeout: Duration) throws(KafkaError) {
        let deadline = ContinuousClock.now + timeout
        var remaining = offsets
        while !remaining.isEmpty {
            let list = TopicPartitionList(remaining)
            let patience = Self.seekTimeout(until: deadline)
            try KafkaError.check(rd_kafka_seek_partitions(try client.open(), list.pointer, patience))
            remaining = [:]
            for element in list.pointer.pointee.elements {
                let partition = element.topicPartition
                // Its fetcher has not started: the committed offset is still being looked up.
                if element.err == RD_KAFKA_RESP_ERR__STATE, ContinuousClock.now < deadline {
                    remaining[partition] = offsets[partition]
                } else {
                    try KafkaError.check(element.err, partition)
                }
            }
            if !remaining.isEmpty { Thread.sleep(forTimeInterval: 0.005) }
        }
    }

    /// At least 1 ms, for 0 would not wait for an answer. Before 2.1.0 librdkafka takes the milliseconds that are left for
    /// microseconds (confluentinc/librdkafka#4230).
    private static func seekTimeout(until deadline: ContinuousClock.Instant) -> Int32 {
        let left = max(1, (deadline - .now).milliseconds)
        return rd_kafka_version() < 0x0201_0000 ? Int32(clamping: Int64(left) * 1000) : left
    }
}
