/// What a consumer's `poll` brings.
public enum ConsumerEvent: ~Copyable {
    case record(ConsumedRecord)
    /// The partition was read up to `offset`, the next to be written (or, with `isolation.level=read_committed`, the first
    /// of an open transaction). Transaction markers and compacted records have no record of their own but count here.
    case partitionEnd(TopicPartition, offset: Int64)
    /// Something is wrong with the subscription, a partition or the group. The consumer goes on unless the kind is fatal. Partition -1
    /// stands for a whole topic.
    case error(KafkaError, TopicPartition?)
}
