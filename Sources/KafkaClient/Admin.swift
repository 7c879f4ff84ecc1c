import CRdKafka

/// Topics, records and groups as an administrator sees them (KIP-4, KIP-107, KIP-133, KIP-222).
///
/// Every call waits for a broker up to its timeout and blocks its thread: keep it off Swift's cooperative pool. A call
/// throws if the request as a whole failed; what failed for one topic, partition or group is in the result.
///
/// Unless the configuration has it, this setting differs from the library's: `socket.nagle.disable=true`.
///
/// Safe to use from several threads, which the compiler can't see: librdkafka's client is, each request has a queue of its
/// own, and `client`, the only state that changes, is not closed before the last reference to the `Admin` is gone.
public final class Admin: @unchecked Sendable {
    private let client: ClientHandle
    private let configuration: ClientConfiguration
    private let events: ClientEvents

    private static let defaults: ClientConfiguration = ["socket.nagle.disable": "true"]

    /// Does not wait for a broker. Throws for a wrong setting, naming it. Of `events`, only `log` is called.
    public init(_ configuration: ClientConfiguration, events: ClientEvents = ClientEvents()) throws(KafkaError) {
        self.configuration = Self.defaults.merging(configuration)
        self.events = events
        client = try ClientHandle(RD_KAFKA_PRODUCER, self.configuration, callbacks: ClientCallbacks(events))
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

    /// Sends one request to the cluster and reads its result.
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
        let patience = min(timeout.milliseconds, Self.longestTimeout)
        // The library answers at its timeout; ours is for when it does not.
        return try Self.request(
            operation,
            of: try client.open(),
            timeout: patience,
            waiting: patience + 1000,
            send: send,
            read: read
        )
    }

    /// Sends one request to the coordinators of groups and reads its result, with a client that is made for it.
    ///
    /// librdkafka 2.0.2 aborts when such a request times out before the coordinator is found, and it is found later. Before
    /// 2.10 it uses freed memory when the coordinator does not know the request. So the library's timeout is out of reach,
    /// the client is freed at ours, and the embedded broker, which does not know these requests, is not asked.
    func groupRequest<Output>(
        _ operation: rd_kafka_admin_op_t,
        timeout: Duration,
        send: (OpaquePointer, OpaquePointer?, OpaquePointer) -> Void,
        read: (OpaquePointer) throws(KafkaError) -> Output
    ) throws(KafkaError) -> Output {
        let deadline = ContinuousClock.now + timeout
        let handle = try ClientHandle(RD_KAFKA_PRODUCER, configuration, callbacks: ClientCallbacks(events))
        defer { handle.destroy() }
        let client = try handle.open()
        guard let clusterID = rd_kafka_clusterid(client, timeout.milliseconds) else { throw KafkaError(.timedOut) }
        defer { rd_kafka_mem_free(client, clusterID) }
        guard !String(cString: clusterID).hasPrefix("mockCluster") else { throw KafkaError(.unsupportedFeature) }
        return try Self.request(
            operation,
            of: client,
            timeout: Self.longestTimeout,
            waiting: (deadline - .now).milliseconds,
            send: send,
            read: read
        )
    }

    /// The library refuses more than an hour.
    private static let longestTimeout: Int32 = 3_600_000

    private static func request<Output>(
        _ operation: rd_kafka_admin_op_t,
        of client: OpaquePointer,
        timeout: Int32,
        waiting patience: Int32,
        send: (OpaquePointer, OpaquePointer?, OpaquePointer) -> Void,
        read: (OpaquePointer) throws(KafkaError) -> Output
    ) throws(KafkaError) -> Output {
        guard let queue = rd_kafka_queue_new(client) else { throw .closed }
        defer { rd_kafka_queue_destroy(queue) }
        let options = rd_kafka_AdminOptions_new(client, operation)
        defer { rd_kafka_AdminOptions_destroy(options) }
        var reason = ErrorText()
        let code = rd_kafka_AdminOptions_set_request_timeout(options, timeout, &reason.bytes, ErrorText.size)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(KafkaError.Code(code), reason.string) }
        send(client, options, queue)
        guard let answer = rd_kafka_queue_poll(queue, patience) else { throw KafkaError(.timedOut) }
        defer { rd_kafka_event_destroy(answer) }
        let failure = rd_kafka_event_error(answer)
        guard failure == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let text = rd_kafka_event_error_string(answer).map { String(cString: $0) }
            throw KafkaError(KafkaError.Code(failure), text)
        }
        return try read(answer)
    }
}
