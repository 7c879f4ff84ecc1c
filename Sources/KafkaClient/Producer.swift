import CRdKafka

/// Writes records, idempotently (KIP-98) and, with a `transactional.id`, in transactions.
///
/// A producer belongs to one thread: make it, use it and close it there. Poll it regularly: delivery reports, errors and
/// statistics come inside `poll`, and records that are not yet reported fill its queue.
///
/// Unless the configuration has them, these settings differ from the library's: `enable.idempotence=true`,
/// `partitioner=murmur2_random` (Java's, so that any client finds a key's partition), `socket.nagle.disable=true`.
public final class Producer {
    let client: ClientHandle
    private let callbacks: ProducerCallbacks
    private var topics: [String: ProducerTopic] = [:]

    private static let defaults: ClientConfiguration = [
        "enable.idempotence": "true",
        "partitioner": "murmur2_random",
        "socket.nagle.disable": "true",
    ]

    /// Does not wait for a broker. Throws for a wrong setting, naming it. The producer keeps `delivery` until it is closed.
    /// Without a listener `flush` throws the first failed delivery, so that none is lost silently.
    public init(
        _ configuration: ClientConfiguration,
        events: ClientEvents = ClientEvents(),
        delivery: (any DeliveryListener)? = nil
    ) throws(KafkaError) {
        var configuration = Self.defaults.merging(configuration)
        // Without a listener only failures are of interest.
        if delivery == nil { configuration["delivery.report.only.error"] = "true" }
        callbacks = ProducerCallbacks(events, delivery: delivery)
        client = try ClientHandle(RD_KAFKA_PRODUCER, configuration, callbacks: callbacks)
    }

    deinit { close() }

    /// A topic to produce to, with topic settings (such as `compression.codec`) over the producer's own. The settings of
    /// the first call for a topic count; another call with different ones throws `.conflict`.
    public func topic(_ name: String, configuration: [String: String] = [:]) throws(KafkaError) -> ProducerTopic {
        if let topic = topics[name] {
            guard topic.settings == configuration else {
                throw KafkaError(.conflict, "\(name): this topic is in use with other settings")
            }
            return topic
        }
        let topic = try ProducerTopic(name, settings: configuration, of: client)
        topics[name] = topic
        return topic
    }

    /// Queues a copy of the record; whether it is written, its delivery report tells.
    ///
    /// - Parameters:
    ///   - topic: From this producer's `topic(_:configuration:)`.
    ///   - partition: nil leaves it to the partitioner.
    ///   - key: nil is null.
    ///   - value: nil is null, a tombstone.
    ///   - timestamp: Milliseconds since 1970; 0 is now.
    ///   - opaque: Comes back in the delivery report.
    /// - Throws: `.queueFull` (retriable: poll, then produce again), `.messageSizeTooLarge`, `.unknownPartition`,
    ///   `.unknownTopic`, or a fatal error.
    public func produce(
        to topic: ProducerTopic,
        partition: Int32? = nil,
        key: UnsafeRawBufferPointer?,
        value: UnsafeRawBufferPointer?,
        timestamp: Int64 = 0,
        headers: consuming RecordHeaders = .none,
        opaque: UInt = 0
    ) throws(KafkaError) {
        let owner = try client.open()
        guard topic.client === client, let handle = topic.pointer else {
            throw KafkaError(.invalidArgument, "\(topic.name): this topic is another producer's")
        }
        let code = rdkafka_shim_produce(
            owner,
            handle,
            partition ?? RD_KAFKA_PARTITION_UA,
            key?.baseAddress,
            key?.count ?? -1,
            value?.baseAddress,
            value?.count ?? -1,
            timestamp,
            headers.pointer,
            UnsafeMutableRawPointer(bitPattern: opaque)
        )
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw error(code, about: topic.name) }
        _ = headers.relinquish()
    }

    /// Serves delivery reports, errors and statistics; waits for the first one up to `timeout`.
    public func poll(timeout: Duration) {
        if let client = client.pointer { rd_kafka_poll(client, timeout.milliseconds) }
    }

    /// Waits until every record is reported; throws `.timedOut` if some are not in time. A record that failed is reported
    /// too: ask the delivery listener. Without a listener, throws the first failure since the last flush.
    public func flush(timeout: Duration) throws(KafkaError) {
        try KafkaError.check(rd_kafka_flush(try client.open(), timeout.milliseconds))
        if let failure = callbacks.takeFirstFailure() { throw failure }
    }

    /// Records that are not reported yet, and events that wait for a `poll`.
    public var outstandingCount: Int {
        guard let client = client.pointer else { return 0 }
        return Int(rd_kafka_outq_len(client))
    }

    /// Drops every record that is not written yet, and tells the delivery listener of each at the next `poll` or `flush`.
    /// What is on its way to a broker may still be written.
    public func purge() {
        if let client = client.pointer { rd_kafka_purge(client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT) }
    }

    /// Set once the producer can do nothing more, because idempotence or a transaction can't be upheld: close it and make
    /// a new one.
    public var fatalError: KafkaError? { client.fatalError }

    /// Drops what is not written yet, tells the delivery listener, and frees the client. To lose nothing, `flush` first. A
    /// second close does nothing.
    ///
    /// - Parameter waits: false leaves the library's threads to end in the background.
    public func close(waits: Bool = true) {
        guard let client = client.pointer else { return }
        if rd_kafka_outq_len(client) > 0 {
            purge()
            // The reports of what was purged: they are there already, and wait for no broker.
            rd_kafka_flush(client, 1000)
        }
        callbacks.removeListener()
        for topic in topics.values { topic.release() }
        self.client.destroy(waits: waits)
    }

    private func error(_ code: rd_kafka_resp_err_t, about topic: String) -> KafkaError {
        if code == RD_KAFKA_RESP_ERR__FATAL, let error = fatalError { return error }
        return KafkaError(KafkaError.Code(code), about: topic)
    }
}
