import KafkaClient

/// What a stream application needs to know besides its topology.
public struct StreamSettings: Sendable {
    /// What a partition that has no committed offset starts from.
    public enum OffsetReset: String, Sendable, CaseIterable {
        case earliest, latest
    }

    /// What becomes of records when something fails between reading them and committing what they led to.
    public enum ProcessingGuarantee: String, Sendable, CaseIterable {
        /// They are processed again, and what they led to may be written again.
        case atLeastOnce = "at_least_once"
        /// What they led to is written in one transaction with their offsets (KIP-98, KIP-129, KIP-447).
        case exactlyOnce = "exactly_once"
    }

    /// The consumer group's id, and the prefix of the state directory's stores.
    public var applicationID: String
    /// Settings of every client, as librdkafka names them.
    public var client: ClientConfiguration
    public var threads = 1
    public var guarantee = ProcessingGuarantee.exactlyOnce
    /// The longest time between commits, under backlog; a thread that has nothing to read commits sooner.
    public var commitInterval: Duration = .milliseconds(500)
    /// After this the broker aborts a transaction whose producer is gone, and until then nobody can read past what it wrote. A
    /// commit comes after a quarter of it at the latest.
    public var transactionTimeout: Duration = .seconds(10)
    public var sessionTimeout: Duration = .seconds(45)
    /// KIP-345: a restart within the session timeout gets its partitions back without a rebalance. Threads append their number.
    public var groupInstanceID: String?
    public var offsetReset = OffsetReset.earliest
    /// The further instances that keep a copy of each store, as far as there are others, as Kafka Streams' `num.standby.replicas`.
    public var standbyReplicas = 0
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

    /// For tests: called at every step of every commit, on the stream thread. The commit fails there with what it throws.
    package var onCommitStep: @Sendable (CommitStep) throws(StreamError) -> Void = { _ in }
    /// For tests: called at every step of `ApplicationRepartition`, on its thread.
    package var onRepartitionStep: @Sendable (RepartitionStep) -> Void = { _ in }

    public init(applicationID: String, client: ClientConfiguration, stateDirectory: String) {
        self.applicationID = applicationID
        self.client = client
        self.stateDirectory = stateDirectory
    }
}
