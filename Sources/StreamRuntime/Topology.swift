import KafkaClient
import RocksStore

/// What a stream application consumes, and what it does with it: Kafka Streams' topology, as a list of sources.
public struct Topology: Sendable {
    public var sources: [Source]
    /// All topics that have to be there, the input first.
    public var topics: [TopicSpecification]

    public init(sources: [Source], topics: [TopicSpecification]) {
        self.sources = sources
        self.topics = topics
    }

    /// A topic that is consumed, one task a partition.
    public struct Source: Sendable {
        public var topic: String
        /// The state of its tasks; nil: they keep none.
        public var state: State?
        /// The source whose records reach this one through its processor: timers wait for its backlog too.
        public var upstream: String?
        public var makeProcessor: @Sendable (ProcessorContext) throws(StreamError) -> any Processor

        public init(
            topic: String,
            state: State? = nil,
            upstream: String? = nil,
            makeProcessor: @escaping @Sendable (ProcessorContext) throws(StreamError) -> any Processor
        ) {
            self.topic = topic
            self.state = state
            self.upstream = upstream
            self.makeProcessor = makeProcessor
        }
    }

    /// A store a task, and the compacted topic that it can be rebuilt from.
    public struct State: Sendable {
        public var changelog: String
        public var columnFamilies: [ColumnFamily]
        /// Of the stores' layout: a store of another one is rebuilt from the changelog. Its values have to stay readable.
        public var formatVersion: Int
        public var changelogReader: any ChangelogReader

        public init(
            changelog: String,
            columnFamilies: [ColumnFamily],
            formatVersion: Int,
            changelogReader: any ChangelogReader
        ) {
            self.changelog = changelog
            self.columnFamilies = columnFamilies
            self.formatVersion = formatVersion
            self.changelogReader = changelogReader
        }
    }
}

/// A topic that has to be there before the threads start.
public struct TopicSpecification: Sendable {
    public enum Role: Sendable {
        /// Written by others: not created unless asked to, and the others' partition count follows it.
        case input
        /// Ours alone; all internal topics have the same partition count.
        case `internal`
        /// Read by others; created when missing.
        case output
    }

    public var name: String
    public var role: Role
    /// What it is created with.
    public var configuration: [String: String]

    public init(name: String, role: Role, configuration: [String: String] = [:]) {
        self.name = name
        self.role = role
        self.configuration = configuration
    }
}

/// What the topics are like, as found at the start.
public struct TopicCatalog: Sendable {
    public struct Entry: Sendable {
        public var partitionCount: Int32
        /// The topic's `max.message.bytes`; nil where the broker does not tell.
        public var maxMessageBytes: Int?
    }

    var entries: [String: Entry] = [:]

    public subscript(topic: String) -> Entry? { entries[topic] }
}

/// One partition of a source, as Kafka Streams' task id.
public struct TaskID: Hashable, Sendable, CustomStringConvertible {
    public var topic: String
    public var partition: Int32

    public var description: String { "\(topic)-\(partition)" }
    var topicPartition: TopicPartition { TopicPartition(topic: topic, partition: partition) }
}
