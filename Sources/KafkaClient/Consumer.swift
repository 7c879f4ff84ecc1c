import CRdKafka

/// Reads records, alone (`assign`) or as a member of a group (`subscribe`).
///
/// A consumer belongs to one thread: make it, poll it and close it there. Calls with a timeout block that thread. Poll
/// often: the group expels a member that does not for `max.poll.interval.ms`.
///
/// Offsets are committed by hand, so these settings differ from the library's unless the configuration has them:
/// `enable.auto.commit=false`, `enable.auto.offset.store=false`, `enable.partition.eof=true`,
/// `isolation.level=read_committed`, `socket.nagle.disable=true`. `group.id` is required, to assign partitions by hand
/// too.
public final class Consumer {
    let client: ClientHandle
    private let callbacks: ConsumerCallbacks
    private let mayUseCooperativeProtocol: Bool
    private var hasSubscribed = false
    /// What `poll` takes from. The library counts references to it: it may outlive the client.
    private let queue: OpaquePointer?

    private static let defaults: ClientConfiguration = [
        "enable.auto.commit": "false",
        "enable.auto.offset.store": "false",
        "enable.partition.eof": "true",
        "isolation.level": "read_committed",
        "socket.nagle.disable": "true",
    ]

    /// Does not wait for a broker. Throws for a wrong setting, naming it.
    public init(_ configuration: ClientConfiguration, events: ClientEvents = ClientEvents()) throws(KafkaError) {
        guard configuration["group.id"]?.isEmpty == false else {
            throw KafkaError(.invalidArgument, "group.id: a consumer needs one")
        }
        callbacks = ConsumerCallbacks(events)
        client = try ClientHandle(RD_KAFKA_CONSUMER, Self.defaults.merging(configuration), callbacks: callbacks)
        mayUseCooperativeProtocol = configuration["partition.assignment.strategy"]?.contains("cooperative") ?? false
        // One queue for records, errors, rebalances and statistics: `poll` serves them all.
        rd_kafka_poll_set_consumer(try client.open())
        queue = rd_kafka_queue_get_consumer(try client.open())
    }

    deinit { close() }

    /// Records and events that `poll` has for the taking. One look at a counter.
    public var queuedCount: Int { client.pointer == nil ? 0 : queue.map { Int(rd_kafka_queue_length($0)) } ?? 0 }

    /// The next record, partition end or error; nil if there was none in time, or the consumer is closed. Calls the
    /// rebalance listener and the events on the way.
    public func poll(timeout: Duration) -> ConsumerEvent? {
        guard let client = client.pointer, let message = rd_kafka_consumer_poll(client, timeout.milliseconds) else {
            return nil
        }
        let code = message.pointee.err
        if code == RD_KAFKA_RESP_ERR_NO_ERROR { return .record(ConsumedRecord(taking: message)) }
        defer { rd_kafka_message_destroy(message) }
        let partition = message.pointee.rkt.flatMap { rd_kafka_topic_name($0) }.map {
            TopicPartition(topic: String(cString: $0), partition: message.pointee.partition)
        }
        if code == RD_KAFKA_RESP_ERR__PARTITION_EOF, let partition {
            return .partitionEnd(partition, offset: message.pointee.offset)
        }
        // It only says that there is one, which is the client's and no partition's: what it is has to be asked for.
        if code == RD_KAFKA_RESP_ERR__FATAL, let error = ClientHandle.fatalError(of: client) {
            return .error(error, nil)
        }
        let reason = rd_kafka_message_errstr(message).map { String(cString: $0) }
        return .error(KafkaError(KafkaError.Code(code), reason), partition)
    }

    /// Joins the group for `topics` (a name that begins with `^` is a regular expression). The consumer keeps `rebalance`
    /// until it is closed.
    public func subscribe(to topics: [String], rebalance: any RebalanceListener) throws(KafkaError) {
        let client = try client.open()
        let list = TopicPartitionList(topics: topics)
        callbacks.listener = rebalance
        hasSubscribed = true
        try KafkaError.check(rd_kafka_subscribe(client, list.pointer))
    }

    /// Leaves the group, which revokes the assignment through the rebalance listener, and frees the client. Waits for each
    /// no longer than `timeout`, then lets go: the group notices by its session timeout. A second close does nothing.
    ///
    /// - Parameter waits: false leaves the library's threads to end in the background.
    public func close(timeout: Duration = .seconds(5), waits: Bool = true) {
        precondition(!callbacks.isRebalancing, "a rebalance listener must not close its consumer")
        guard let client = client.pointer else { return }
        leaveGroup(client, timeout: timeout)
        if let queue { rd_kafka_queue_destroy(queue) }
        callbacks.listener = nil
        if freeingWouldAbort {
            self.client.abandon()
        } else {
            self.client.destroy(waits: waits)
        }
    }

    private func leaveGroup(_ client: OpaquePointer, timeout: Duration) {
        guard let queue = rd_kafka_queue_new(client) else { return }
        defer { rd_kafka_queue_destroy(queue) }
        if let error = rd_kafka_consumer_close_queue(client, queue) {
            callbacks.events.error(KafkaError(taking: error))
            return
        }
        let deadline = ContinuousClock.now + timeout
        while rd_kafka_consumer_closed(client) == 0, ContinuousClock.now < deadline {
            guard let event = rd_kafka_queue_poll(queue, 100) else { continue }
            callbacks.serve(event, of: client)
            rd_kafka_event_destroy(event)
        }
    }

    /// Before 2.3.0 librdkafka asserts in freeing a cooperative member that never got its first assignment
    /// (confluentinc/librdkafka#4381). Whether the group had got that far can't be known without a race, so the rare
    /// handle is left to the end of the process.
    private var freeingWouldAbort: Bool {
        rd_kafka_version() < 0x0203_0000 && mayUseCooperativeProtocol && hasSubscribed && !callbacks.hasBeenAssigned
    }
}
