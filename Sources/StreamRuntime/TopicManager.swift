import KafkaClient
import Logging

/// Finds or creates the topics of a topology before the threads start.
struct TopicManager {
    let settings: StreamSettings
    let topology: Topology
    let health: StreamHealth
    let logger: Logger
    let stop: StopSignal

    /// Tries until the broker answers. Nil: the application was stopped meanwhile.
    func prepare() throws(StreamError) -> TopicCatalog? {
        let events = health.clientEvents(logger: logger, brokers: settings.client["bootstrap.servers"] ?? "")
        let admin = try withKafka { () throws(KafkaError) in try Admin(settings.client, events: events) }
        while stop.requestedAt == nil {
            do {
                let catalog = try prepare(admin)
                _ = health.setBrokerReachable(true)
                return catalog
            } catch {
                guard case .kafka(let error) = error, error.kind == .retriable else { throw error }
                if health.setBrokerReachable(false) {
                    logger.error(
                        "Kafka at \(settings.client["bootstrap.servers"] ?? "") cannot be reached; trying again until it answers: \(error)"
                    )
                }
                stop.wait(seconds: 1)
            }
        }
        return nil
    }

    private func prepare(_ admin: Admin) throws(StreamError) -> TopicCatalog {
        let topics = TopologyTopics(admin: admin, settings: settings, topology: topology)
        var counts = try partitionCounts(topics)
        let input = topology.topics.first { $0.role == .input }
        if let input, counts[input.name] == nil, !settings.createsInput {
            throw .incompatible(
                "the input topic \(input.name) does not exist; create it, correct topics.input, or start with --create-input"
            )
        }
        // Before anything is created: what is created with a wrong count would be in the way when it is put right.
        if let mismatch = topics.mismatches(counts).first { throw .incompatible(mismatch.problem) }
        let created = try topics.createMissing(counts) { stop.requestedAt != nil }
        for (name, count) in created { logger.notice("created topic \(name) with \(count) partitions") }
        counts = try partitionCounts(topics)
        if let mismatch = topics.mismatches(counts).first { throw .incompatible(mismatch.problem) }
        var catalog = TopicCatalog()
        let configurations = configurations(topics)
        for topic in topology.topics {
            let configuration = configurations[topic.name] ?? [:]
            for problem in topic.problems(with: configuration) {
                logger.warning("topic \(topic.name) has \(problem)")
            }
            guard let count = counts[topic.name] else { continue }
            catalog.entries[topic.name] = TopicCatalog.Entry(
                partitionCount: count,
                maxMessageBytes: configuration["max.message.bytes"].flatMap { Int($0) }
            )
        }
        return catalog
    }

    private func partitionCounts(_ topics: TopologyTopics) throws(StreamError) -> [String: Int32] {
        try topics.metadata().mapValues { Int32($0.partitions.count) }
    }

    /// What the broker tells.
    private func configurations(_ topics: TopologyTopics) -> [String: [String: String]] {
        var found: [String: [String: String]] = [:]
        for topic in topology.topics {
            do {
                found[topic.name] = try topics.configuration(of: topic.name)
            } catch {
                logger.debug("the configuration of \(topic.name) cannot be read: \(error)")
                // One that may not be asked for says nothing of the others; a broker that does not answer is not asked again.
                if error.kind == .retriable { break }
            }
        }
        return found
    }
}
