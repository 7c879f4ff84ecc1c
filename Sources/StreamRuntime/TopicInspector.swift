import KafkaClient

/// Shows, checks and creates the topics of an application, whether a worker runs or not. Blocks: it waits for the broker.
public struct TopicInspector: Sendable {
    /// A topic as the cluster has it.
    public struct Report: Sendable, Equatable {
        public var name: String
        public var role: TopicSpecification.Role
        /// Nil: there is no such topic.
        public var partitions: Int?
        /// Of the partition that has the fewest replicas.
        public var replication: Int?
        /// By Kafka's names; nil: the broker does not tell.
        public var configuration: [String: String]?
        /// What is missing or wrong, a sentence each; empty: nothing is.
        public var problems: [String]
    }

    private let settings: StreamSettings
    private let topology: Topology

    public init(settings: StreamSettings, topology: Topology) {
        self.settings = settings
        self.topology = topology
    }

    /// One for each topic that the topology needs, in its order.
    ///
    /// - Parameter creates: whether to create those that are missing first; the input topic as well, if `settings` say so. Where it is
    ///   missing and they do not, nothing is created: partitions follow from the input's.
    /// - Throws: `.kafka` when the broker does not answer, `.incompatible` for a topic that it refuses to create, `.refusedSettings`.
    public func reports(creates: Bool = false) throws(StreamError) -> [Report] {
        try settings.checkClients()
        let admin = try withKafka { () throws(KafkaError) in try Admin(settings.client) }
        let topics = TopologyTopics(admin: admin, settings: settings, topology: topology)
        if creates {
            let counts = try topics.metadata().mapValues { Int32($0.partitions.count) }
            let input = topology.topics.first { $0.role == .input }
            if input.map({ counts[$0.name] != nil }) ?? true || settings.createsInput {
                _ = try topics.createMissing(counts)
            }
        }
        let found = try topics.metadata()
        let mismatches = topics.mismatches(found.mapValues { Int32($0.partitions.count) })
        var isTold = true
        var reports: [Report] = []
        for topic in topology.topics {
            var report = Report(name: topic.name, role: topic.role, problems: [])
            if let metadata = found[topic.name] {
                report.partitions = metadata.partitions.count
                report.replication = metadata.partitions.map(\.replicas.count).min()
                if isTold {
                    do {
                        report.configuration = try topics.configuration(of: topic.name)
                    } catch {
                        // A broker that does not answer is not asked for each.
                        isTold = error.kind != .retriable
                    }
                }
                report.problems =
                    problems(of: topic, metadata, report.configuration ?? [:])
                    + mismatches.filter { $0.changelog == topic.name }.map(\.problem)
            } else {
                let unless = topic.role == .input ? ", unless --except-input leaves it to its owner" : ""
                report.problems = ["topic \(topic.name) does not exist; --create makes it\(unless)"]
            }
            reports.append(report)
        }
        return reports
    }

    private func problems(
        of topic: TopicSpecification,
        _ metadata: TopicMetadata,
        _ configuration: [String: String]
    ) -> [String] {
        var problems = topic.problems(with: configuration).map { "topic \(topic.name) has \($0)" }
        let leaderless = metadata.partitions.filter { $0.leader == nil }.map { "\($0.id)" }
        if !leaderless.isEmpty {
            problems.append(
                "topic \(topic.name) has no leader for partition \(leaderless.joined(separator: ", ")): is a broker down?"
            )
        }
        let replication = metadata.partitions.map(\.replicas.count).min() ?? 0
        if settings.replicationFactor > replication {
            problems.append(
                "topic \(topic.name) has \(replication) replicas, and topics.replication-factor is \(settings.replicationFactor)"
            )
        }
        return problems
    }
}
