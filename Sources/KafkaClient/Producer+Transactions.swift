import CRdKafka

/// Exactly-once (KIP-98, KIP-447), for a producer with a `transactional.id`. The kind of each error says what to do:
/// retriable, the same call again; abortable, `abortTransaction` and do the work again; fatal, a new producer.
///
/// After a commit or abort that timed out, close the producer and make a new one: a late answer to the old request may
/// end the next transaction (confluentinc/librdkafka#5423).
extension Producer {
    /// Registers the `transactional.id`, fences its former owner and ends what that left open. Once, before any other.
    public func initTransactions(timeout: Duration) throws(KafkaError) {
        try KafkaError.check(rd_kafka_init_transactions(try client.open(), timeout.milliseconds))
    }

    /// Everything produced from here on belongs to the transaction. Begin one only when there is something to send:
    /// aborting an empty one may be fatal (confluentinc/librdkafka#4849).
    public func beginTransaction() throws(KafkaError) {
        try KafkaError.check(rd_kafka_begin_transaction(try client.open()))
    }

    /// Commits `offsets`, those to read next, with the transaction. `group` must be of the consumer that read the records,
    /// and new.
    public func sendOffsets(
        _ offsets: [TopicPartition: Int64],
        group: ConsumerGroupMetadata,
        timeout: Duration
    ) throws(KafkaError) {
        let list = TopicPartitionList(offsets)
        try KafkaError.check(
            rd_kafka_send_offsets_to_transaction(
                try client.open(),
                list.pointer,
                group.pointer,
                timeout.milliseconds
            )
        )
    }

    /// Flushes, serving delivery reports on the way, and commits.
    public func commitTransaction(timeout: Duration) throws(KafkaError) {
        try KafkaError.check(rd_kafka_commit_transaction(try client.open(), timeout.milliseconds))
    }

    /// Drops what is not written yet, serving its delivery reports, and aborts.
    public func abortTransaction(timeout: Duration) throws(KafkaError) {
        try KafkaError.check(rd_kafka_abort_transaction(try client.open(), timeout.milliseconds))
    }
}
