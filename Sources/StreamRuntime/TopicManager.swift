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
        let names = topology.topics.map(\.name)
        var counts = try partitionCounts(admin, names)
        let missing = topology.topics.filter { counts[$0.name] == nil }
        if let input = missing.first(where: { $0.role == .input }), !settings.createsInput {
            throw .incompatible(
                "the input topic \(input.name) does not exist; create it, correct topics.input, or start with --create-input"
            )
        }
        if !missing.isEmpty {
            let partitions =
                settings.partitions ?? topology.topics.first { $0.role == .input }.flatMap { counts[$0.name] } ?? 1
            try create(missing, partitions: partitions, admin)
            counts = try partitionCounts(admin, names)
            for topic in missing {
                // A broker may take a moment to show what it created, or have no way to create it.
                guard counts[topic.name] != nil else {
                    throw .kafka(KafkaError(.timedOut, "topic \(topic.name) is not there yet"))
                }
            }
        }
        try checkInternal(counts)
        let limits = maxMessageBytes(admin, names)
        var catalog = TopicCatalog()
        for (name, count) in counts {
            catalog.entries[name] = TopicCatalog.Entry(partitionCount: count, maxMessageBytes: limits[name])
        }
        return catalog
    }

    private func partitionCounts(_ admin: Admin, _ names: [String]) throws(StreamError) -> [String: Int32] {
        try withKafka { () throws(KafkaError) in
            try admin.describeTopics(names, timeout: .seconds(3)).mapValues { Int32($0.partitions.count) }
        }
    }

    private func create(_ topics: [TopicSpecification], partitions: Int32, _ admin: Admin) throws(StreamError) {
        let new = topics.map { topic in
            NewTopic(
                name: topic.name,
                partitions: partitions,
                replicationFactor: settings.replicationFactor,
                configuration: topic.configuration
            )
        }
        let results = try withKafka { () throws(KafkaError) in try admin.createTopics(new, timeout: .seconds(30)) }
        for topic in topics {
            switch results[topic.name] {
            case .success, .none: logger.notice("created topic \(topic.name) with \(partitions) partitions")
            // Another instance may have been faster.
            case .failure(let error) where error.code == .topicAlreadyExists: continue
            case .failure(let error) where error.kind == .retriable: throw .kafka(error)
            case .failure(let error): throw .incompatible("topic \(topic.name) cannot be created: \(error.message)")
            }
        }
    }

    /// Records and state of one payload meet in the same partition only while these counts are equal.
    private func checkInternal(_ counts: [String: Int32]) throws(StreamError) {
        for source in topology.sources {
            guard let state = source.state, let count = counts[source.topic],
                let changelogCount = counts[state.changelog]
            else {
                continue
            }
            if count != changelogCount {
                throw .incompatible(
                    "topic \(source.topic) has \(count) partitions, but the state in \(state.changelog) was built with \(changelogCount). "
                        + "Restore the old partition count, use another application.id, or stop all workers and delete the internal topics and state.dir"
                )
            }
        }
    }

    /// What the broker tells: not everyone may ask, and the embedded broker does not answer.
    private func maxMessageBytes(_ admin: Admin, _ topics: [String]) -> [String: Int] {
        var limits: [String: Int] = [:]
        for topic in topics {
            do {
                limits[topic] = try admin.topicConfiguration(of: topic, timeout: .seconds(3))["max.message.bytes"]
                    .flatMap { Int($0) }
            } catch {
                logger.debug("the configuration of \(topic) cannot be read: \(error)")
                break
            }
        }
        return limits
    }
}
