import PayloadModel
import StreamRuntime

/// The tracker's topology: status messages are forwarded to the partition of their payload, and folded there.
public enum PayloadTopology {
    /// Names of the topics (contract, section 1).
    public struct Topics: Sendable {
        public var input: String
        public var outcomes: String
        public var deadLetter: String
        public var repartition: String
        public var changelog: String

        public init(input: String, outcomes: String, deadLetter: String, repartition: String, changelog: String) {
            self.input = input
            self.outcomes = outcomes
            self.deadLetter = deadLetter
            self.repartition = repartition
            self.changelog = changelog
        }
    }

    /// What the processors of a process tell of their work, to whom it may concern, and are told.
    public struct Observers: Sendable {
        public let waiters = PayloadWaiters()
        public let activity = PayloadActivity()
        /// Told by who answers lists.
        public let listDemand = ListDemand()
        let stageDurations = StageDurations()

        public init() {}
    }

    /// The topic whose partitions payloads live in.
    public static func payloadTopic(_ topics: Topics, isInputKeyed: Bool) -> String {
        isInputKeyed ? topics.input : topics.repartition
    }

    /// - Parameters:
    ///   - isInputKeyed: producers key the input by normalised payload id, so that it needs no repartition topic.
    ///   - eventSource: `ce_source` of outcome events.
    public static func make(
        topics: Topics,
        rules: PayloadRules,
        isInputKeyed: Bool,
        eventSource: String,
        observers: Observers = Observers()
    ) -> Topology {
        let payloads = Topology.Source(
            topic: payloadTopic(topics, isInputKeyed: isInputKeyed),
            state: Topology.State(
                changelog: topics.changelog,
                columnFamilies: PayloadStore.columnFamilies,
                formatVersion: PayloadStore.formatVersion,
                changelogReader: PayloadChangelogReader(rules: rules)
            ),
            upstream: isInputKeyed ? nil : topics.input,
            makeProcessor: { context throws(StreamError) in
                try PayloadProcessor(
                    context,
                    topics: topics,
                    rules: rules,
                    eventSource: eventSource,
                    observers: observers
                )
            }
        )
        if isInputKeyed { return Topology(sources: [payloads], topics: specifications(topics, rules, isInputKeyed)) }
        let statuses = Topology.Source(topic: topics.input) { context throws(StreamError) in
            try RepartitionProcessor(context, topics: topics, rules: rules, activity: observers.activity)
        }
        return Topology(sources: [statuses, payloads], topics: specifications(topics, rules, isInputKeyed))
    }

    private static func specifications(_ topics: Topics, _ rules: PayloadRules, _ isInputKeyed: Bool)
        -> [TopicSpecification]
    {
        // An event's JSON may take six bytes for one, but holds only a part of it.
        let largestState = PayloadState.largestBytes(rules) + (1 << 20)
        var specifications = [
            TopicSpecification(name: topics.input, role: .input),
            TopicSpecification(
                name: topics.changelog,
                role: .internal,
                configuration: [
                    // The segment that is written to is never compacted, and all of it is read by a restore. Kafka's own 1 GiB is more than
                    // most partitions ever hold.
                    "cleanup.policy": "compact", "segment.bytes": "\(64 << 20)", "max.message.bytes": "\(largestState)",
                ]
            ),
            TopicSpecification(
                name: topics.outcomes,
                role: .output,
                configuration: ["max.message.bytes": "\(largestState)"]
            ),
            TopicSpecification(
                name: topics.deadLetter,
                role: .output,
                configuration: ["max.message.bytes": "\(8 << 20)"]
            ),
        ]
        if !isInputKeyed {
            specifications.append(
                TopicSpecification(
                    name: topics.repartition,
                    role: .internal,
                    configuration: [
                        // Records carry the input's timestamps: they leave when they are folded, not when they are old.
                        "cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1",
                        "message.timestamp.type": "CreateTime", "segment.bytes": "\(50 << 20)",
                        "max.message.bytes": "\(StatusDecoder.maxValueBytes * 2)",
                    ]
                )
            )
        }
        return specifications
    }
}
