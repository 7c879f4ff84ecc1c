import CRdKafka
import Synchronization

/// librdkafka's mock cluster: brokers in this process that listen on loopback, so that other processes can use them too.
/// For tests and demonstrations; everything is in memory.
///
/// Its limits, as of 2.0.2: each partition keeps 5 MiB (as compressed) or 100,000 records and drops the oldest silently; no
/// admin requests; a transaction's records are visible before its commit and after its abort, and offsets sent to a
/// transaction are thrown away; topics that are asked for come into being with 4 partitions; a new group's first rebalance
/// takes 3 s, which members with a shorter `session.timeout.ms` do not survive, later ones the session timeout less 1 s.
public final class EmbeddedBroker: Sendable {
    /// Kafka's protocol requests, for `inject`.
    public struct Request: RawRepresentable, Hashable, Sendable {
        public let rawValue: Int16

        public init(rawValue: Int16) {
            self.rawValue = rawValue
        }

        public static let produce = Request(rawValue: 0)
        public static let fetch = Request(rawValue: 1)
        public static let listOffsets = Request(rawValue: 2)
        public static let metadata = Request(rawValue: 3)
        public static let offsetCommit = Request(rawValue: 8)
        public static let offsetFetch = Request(rawValue: 9)
        public static let findCoordinator = Request(rawValue: 10)
        public static let joinGroup = Request(rawValue: 11)
        public static let heartbeat = Request(rawValue: 12)
        public static let leaveGroup = Request(rawValue: 13)
        public static let syncGroup = Request(rawValue: 14)
        public static let initProducerID = Request(rawValue: 22)
        public static let addPartitionsToTransaction = Request(rawValue: 24)
        public static let addOffsetsToTransaction = Request(rawValue: 25)
        public static let endTransaction = Request(rawValue: 26)
        public static let transactionOffsetCommit = Request(rawValue: 28)
    }

    private struct Cluster {
        let client: ClientHandle
        let pointer: OpaquePointer
    }

    /// The brokers' addresses, for `bootstrap.servers` of any client.
    public let bootstrapServers: String
    public let brokerCount: Int

    private let cluster: Mutex<Cluster?>

    /// Starts the brokers, whose ids are 1 to `brokerCount`, and creates `topics`. `configuration` is of the client that
    /// the cluster lives in. Of `events`, only `log` is called.
    public init(
        brokerCount: Int = 1,
        topics: [(name: String, partitions: Int)] = [],
        configuration: ClientConfiguration = [:],
        events: ClientEvents = ClientEvents()
    ) throws(KafkaError) {
        let client = try ClientHandle(RD_KAFKA_PRODUCER, configuration, callbacks: ClientCallbacks(events))
        guard let pointer = rd_kafka_mock_cluster_new(try client.open(), Int32(clamping: brokerCount)) else {
            throw KafkaError(.failed, "The embedded broker could not listen on loopback")
        }
        bootstrapServers = String(cString: rd_kafka_mock_cluster_bootstraps(pointer))
        self.brokerCount = brokerCount
        cluster = Mutex(Cluster(client: client, pointer: pointer))
        for topic in topics {
            try createTopic(topic.name, partitions: topic.partitions)
        }
    }

    deinit { close() }

    /// Creates a topic. Throws if it is there already.
    public func createTopic(_ name: String, partitions: Int) throws(KafkaError) {
        try withCluster { cluster in
            rd_kafka_mock_topic_create(cluster, name, Int32(clamping: partitions), 1)
        }
    }

    /// Answers the next requests of this sort with these errors, one each and in their order. `.transport` cuts the
    /// connection instead.
    public func inject(errors: [KafkaError.Code], into request: Request) throws(KafkaError) {
        let codes = errors.map { rd_kafka_resp_err_t($0.rawValue) }
        try withCluster { cluster in
            rd_kafka_mock_push_request_errors_array(cluster, request.rawValue, codes.count, codes)
            return RD_KAFKA_RESP_ERR_NO_ERROR
        }
    }

    /// How long every answer of a broker takes.
    public func setRoundTripTime(_ time: Duration, ofBroker id: Int = 1) throws(KafkaError) {
        try withCluster { rd_kafka_mock_broker_set_rtt($0, Int32(clamping: id), time.milliseconds) }
    }

    /// Takes a broker down, connections and all, or brings it up again with what it had.
    public func setBroker(_ id: Int = 1, up: Bool) throws(KafkaError) {
        try withCluster { cluster in
            up
                ? rd_kafka_mock_broker_set_up(cluster, Int32(clamping: id))
                : rd_kafka_mock_broker_set_down(cluster, Int32(clamping: id))
        }
    }

    /// Makes a broker the leader of a partition.
    public func setLeader(_ id: Int, of partition: TopicPartition) throws(KafkaError) {
        try withCluster {
            rd_kafka_mock_partition_set_leader($0, partition.topic, partition.partition, Int32(clamping: id))
        }
    }

    /// Stops the brokers; everything on them is gone. A second close does nothing.
    public func close() {
        cluster.withLock { cluster in
            guard let open = cluster else { return }
            cluster = nil
            rd_kafka_mock_cluster_destroy(open.pointer)
            open.client.destroy()
        }
    }

    private func withCluster(_ body: @Sendable (OpaquePointer) -> rd_kafka_resp_err_t) throws(KafkaError) {
        let code = cluster.withLock { cluster in cluster.map { body($0.pointer) } ?? RD_KAFKA_RESP_ERR__DESTROY }
        try KafkaError.check(code)
    }
}
