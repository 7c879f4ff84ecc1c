import KafkaClient

/// What a stream application needs to know besides its topology.
public struct StreamSettings: Sendable {
    /// What a partition that has no committed offset starts from.
    public enum OffsetReset: String, Sendable, CaseIterable {
        case earliest, latest
    }

    /// The consumer group's id, and the prefix of the state directory's stores.
    public var applicationID: String
    /// Settings of every client, as librdkafka names them.
    public var client: ClientConfiguration
    public var threads = 1
    public var commitInterval: Duration = .milliseconds(100)
    public var sessionTimeout: Duration = .seconds(45)
    /// KIP-345: a restart within the session timeout gets its partitions back without a rebalance. Threads append their number.
    public var groupInstanceID: String?
    public var offsetReset = OffsetReset.earliest
    /// Local stores live in a directory of the application's below this one.
    public var stateDirectory: String
    /// Of all stores of the process together.
    public var blockCacheBytes = 64 << 20
    /// Of all stores of the process together.
    public var writeBufferBytes = 64 << 20
    /// Of what all processors of the process keep decoded beside their stores, as Kafka Streams' `statestore.cache.max.bytes`.
    public var cacheBytes = 64 << 20
    /// Of the topics that are created; nil: as many as the input topic has.
    public var partitions: Int32?
    public var replicationFactor: Int32 = -1
    /// Whether a missing input topic is created rather than an error.
    public var createsInput = false
    /// How long a store stays open after its partition left: it often comes straight back.
    public var storeGracePeriod: Duration = .seconds(60)
    /// How often records that have been folded are deleted from the repartition topic, as Kafka Streams' `repartition.purge.interval.ms`.
    public var purgeInterval: Duration = .seconds(30)

    public init(applicationID: String, client: ClientConfiguration, stateDirectory: String) {
        self.applicationID = applicationID
        self.client = client
        self.stateDirectory = stateDirectory
    }
}
