import Foundation
import KafkaClient

/// The topics of a topology on a cluster. Calls wait for the broker up to a timeout and block.
struct TopologyTopics {
    let admin: Admin
    let settings: StreamSettings
    let topology: Topology

    /// Of those that exist, by name.
    func metadata() throws(StreamError) -> [String: TopicMetadata] {
        try withKafka { () throws(KafkaError) in
            try admin.describeTopics(topology.topics.map(\.name), timeout: .seconds(3))
        }
    }

    /// A topic's settings by Kafka's names. Not everyone may ask, and the embedded broker does not answer.
    func configuration(of topic: String) throws(KafkaError) -> [String: String] {
        try admin.topicConfiguration(of: topic, timeout: .seconds(3))
    }

    private static let visibilitySeconds = 8.0

    /// Creates those that are missing, and waits until the broker shows them.
    ///
    /// - Parameters:
    ///   - counts: partitions of those that are there.
    ///   - isStopping: ends the wait.
    /// - Returns: the partitions of those that this call has created; another instance may have been faster.
    func createMissing(
        _ counts: [String: Int32],
        isStopping: () -> Bool = { false }
    ) throws(StreamError) -> [String: Int32] {
        let missing = topology.topics.filter { counts[$0.name] == nil }
        if missing.isEmpty { return [:] }
        var created: [String: Int32] = [:]
        for (count, topics) in Dictionary(grouping: missing, by: { partitions(ofNew: $0, counts) }) {
            for name in try create(topics, partitions: count) { created[name] = count }
        }
        // A broker may take a moment to show what it created, or have no way to create it.
        let deadline = monotonicSeconds() + TopologyTopics.visibilitySeconds
        while true {
            let found = try metadata()
            guard let absent = missing.first(where: { found[$0.name] == nil }) else { return created }
            if isStopping() || monotonicSeconds() > deadline {
                throw .kafka(
                    KafkaError(.timedOut, "topic \(absent.name) was created, and the broker does not show it yet")
                )
            }
            // Kafka tells nobody; each look is a request.
            Thread.sleep(forTimeInterval: 0.1)
        }
    }

    /// A changelog gets the partitions of the source whose state it holds, if that is there.
    private func partitions(ofNew topic: TopicSpecification, _ counts: [String: Int32]) -> Int32 {
        topology.sources.first { $0.state?.changelog == topic.name }.flatMap { counts[$0.topic] }
            ?? settings.partitions ?? topology.topics.first { $0.role == .input }.flatMap { counts[$0.name] } ?? 1
    }

    private func create(_ topics: [TopicSpecification], partitions: Int32) throws(StreamError) -> [String] {
        let new = topics.map { topic in
            NewTopic(
                name: topic.name,
                partitions: partitions,
                replicationFactor: settings.replicationFactor,
                configuration: topic.configuration
            )
        }
        let results = try withKafka { () throws(KafkaError) in try admin.createTopics(new, timeout: .seconds(30)) }
        var created: [String] = []
        for topic in topics {
            switch results[topic.name] {
            case .success, .none: created.append(topic.name)
            case .failure(let error) where error.code == .topicAlreadyExists: continue
            case .failure(let error) where error.kind == .retriable: throw .kafka(error)
            case .failure(let error): throw .incompatible("topic \(topic.name) cannot be created: \(error.message)")
            }
        }
        return created
    }

    /// Records and state of one payload meet in the same partition only while the counts of a source and its changelog are equal.
    ///
    /// - Returns: the changelogs for which they are not, each with a sentence.
    func mismatches(_ counts: [String: Int32]) -> [(changelog: String, problem: String)] {
        topology.sources.compactMap { source in
            guard let state = source.state, let changelogCount = counts[state.changelog],
                let topic = topology.topics.first(where: { $0.name == source.topic })
            else { return nil }
            let count = counts[source.topic] ?? partitions(ofNew: topic, counts)
            if count == changelogCount { return nil }
            let end = ", but the state in \(state.changelog) was built with \(changelogCount). "
            // One that is missing can still be made with the right count.
            if counts[source.topic] == nil {
                return (
                    state.changelog,
                    "topic \(source.topic) is missing and would get \(count) partitions\(end)"
                        + "Set topics.partitions to \(changelogCount), or run payload-tracker reset to begin anew"
                )
            }
            return (
                state.changelog,
                "topic \(source.topic) has \(count) partitions\(end)"
                    + "Stop all workers and run payload-tracker repartition, which makes an application with another partition count of this one, or reset to begin anew"
            )
        }
    }
}

extension TopicSpecification {
    /// What is wrong with the settings that a topic has, a clause each.
    func problems(with configuration: [String: String]) -> [String] {
        self.configuration.sorted { $0.key < $1.key }.compactMap { name, wanted in
            guard let actual = configuration[name] else { return nil }
            switch name {
            case "max.message.bytes":
                // A state, an event or a dead letter that its topic has no room for would stop its partition.
                guard let limit = Int(actual), let needed = Int(wanted), limit < needed else { return nil }
                return "\(name)=\(limit), too little for the largest records; raise it to \(needed)"
            case "segment.bytes": return nil
            default:
                return actual == wanted ? nil : "\(name)=\(actual), which loses or changes records; set it to \(wanted)"
            }
        }
    }
}
