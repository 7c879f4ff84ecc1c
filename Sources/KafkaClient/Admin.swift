import CRdKafka

/// Topics, records and groups as an administrator sees them (KIP-4, KIP-107, KIP-133, KIP-222).
///
/// Every call waits for a broker up to its timeout and blocks its thread: keep it off Swift's cooperative pool. A call
/// throws if the request as a whole failed; what failed for one topic, partition or group is in the result.
///
/// Unless the configuration has it, this setting differs from the library's: `socket.nagle.disable=true`.
///
/// Safe to use from several threads, which the compiler can't see: librdkafka's client is, each request has a queue of its
/// own, and `client`, the only state, is not closed before the last reference to the `Admin` is gone.
public final class Admin: @unchecked Sendable {
    private let client: ClientHandle

    private static let defaults: ClientConfiguration = ["socket.nagle.disable": "true"]

    /// Does not wait for a broker. Throws for a wrong setting, naming it. Of `events`, only `log` is called.
    public init(_ configuration: ClientConfiguration, events: ClientEvents = ClientEvents()) throws(KafkaError) {
        client = try ClientHandle(
            RD_KAFKA_PRODUCER,
            Self.defaults.merging(configuration),
            callbacks: ClientCallbacks(events)
        )
    }

    /// Every topic of the cluster, internal ones too, in no particular order; not those that it can't describe just now.
    public func listTopics(timeout: Duration) throws(KafkaError) -> [TopicMetadata] {
        try TopicMetadata.fetchAll(from: try client.open(), timeout: timeout).values.compactMap { try? $0.get() }
    }

    /// These topics by name; those that do not exist are absent. Creates none.
    public func describeTopics(_ names: [String], timeout: Duration) throws(KafkaError) -> [String: TopicMetadata] {
        let all = try TopicMetadata.fetchAll(from: try client.open(), timeout: timeout)
        var topics: [String: TopicMetadata] = [:]
        for name in names {
            topics[name] = try all[name]?.get()
        }
        return topics
    }

    /// Sends one request and reads its result.
    ///
    /// - Parameters:
    ///   - send: Gets the client, the options and the queue for the answer.
    ///   - read: Gets the answer, which it must not keep.
    func request<Output>(
        _ operation: rd_kafka_admin_op_t,
        timeout: Duration,
        send: (OpaquePointer, OpaquePointer?, OpaquePointer) -> Void,
        read: (OpaquePointer) throws(KafkaError) -> Output
    ) throws(KafkaError) -> Output {
        let client = try client.open()
        guard let queue = rd_kafka_queue_new(client) else { throw .closed }
        defer { rd_kafka_queue_destroy(queue) }
        let options = rd_kafka_AdminOptions_new(client, operation)
        defer { rd_kafka_AdminOptions_destroy(options) }
        var reason = ErrorText()
        // At most an hour, or the library refuses it.
        let patience = min(timeout.milliseconds, 3_600_000)
        let code = rd_kafka_AdminOptions_set_request_timeout(options, patience, &reason.bytes, ErrorText.size)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(KafkaError.Code(code), reason.string) }
        send(client, options, queue)
        // The library answers at its timeout; ours is for when it does not.
        guard let event = rd_kafka_queue_poll(queue, patience + 1000) else { throw KafkaError(.timedOut) }
        defer { rd_kafka_event_destroy(event) }
        let failure = rd_kafka_event_error(event)
        guard failure == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let text = rd_kafka_event_error_string(event).map { String(cString: $0) }
            throw KafkaError(KafkaError.Code(failure), text)
        }
        return try read(event)
    }
}
