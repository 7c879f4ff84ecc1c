import Foundation
import KafkaClient
import Logging
import PayloadModel
import PayloadTopology
import StreamRuntime
import Testing

/// A worker with topics and state of its own: on a broker of its own in this process, or on a Kafka that is there.
final class TestWorker: Sendable {
    let bootstrapServers: String
    private let broker: EmbeddedBroker?
    private let applicationID = "test-\(UUID().uuidString.lowercased())"
    let topics: PayloadTopology.Topics
    let stateDirectory = FileManager.default.temporaryDirectory.appending(path: "worker-\(UUID().uuidString)").path
    private let isInputKeyed: Bool

    static let partitions: Int32 = 3

    init(isInputKeyed: Bool = false, changelogPartitions: Int = Int(partitions)) throws {
        self.isInputKeyed = isInputKeyed
        topics = TestWorker.topics(applicationID)
        let names = [topics.input, topics.outcomes, topics.deadLetter, topics.repartition]
        let broker = try EmbeddedBroker(
            topics: names.map { ($0, Int(TestWorker.partitions)) } + [(topics.changelog, changelogPartitions)]
        )
        self.broker = broker
        bootstrapServers = broker.bootstrapServers
    }

    /// On a Kafka that is there, which carries transactions out.
    init(bootstrapServers: String) throws {
        isInputKeyed = false
        topics = TestWorker.topics(applicationID)
        self.bootstrapServers = bootstrapServers
        broker = nil
        let input = NewTopic(name: topics.input, partitions: TestWorker.partitions, replicationFactor: 1)
        try Admin(["bootstrap.servers": bootstrapServers]).createTopics([input], timeout: .seconds(30))[topics.input]?
            .get()
    }

    private static func topics(_ prefix: String) -> PayloadTopology.Topics {
        PayloadTopology.Topics(
            input: "\(prefix)-input",
            outcomes: "\(prefix)-outcomes",
            deadLetter: "\(prefix)-dead-letter",
            repartition: "\(prefix)-repartition",
            changelog: "\(prefix)-changelog"
        )
    }

    deinit {
        broker?.close()
        try? FileManager.default.removeItem(atPath: stateDirectory)
    }

    var payloadTopic: String { PayloadTopology.payloadTopic(topics, isInputKeyed: isInputKeyed) }

    /// - Parameter storeFormat: the format of the stores, if it is not today's.
    func application(
        _ rules: PayloadRules,
        threads: Int = 1,
        storeFormat: Int? = nil,
        onCommitStep: @escaping @Sendable (CommitStep) throws(StreamError) -> Void = { _ in }
    ) -> StreamApplication {
        var settings = settings
        // The embedded broker waits this long, less a second, for the members of a group that somebody left without goodbye.
        settings.sessionTimeout = .seconds(6)
        settings.onCommitStep = onCommitStep
        // The embedded broker acknowledges transactions and does not carry them out.
        if broker != nil { settings.guarantee = .atLeastOnce }
        settings.commitInterval = .milliseconds(50)
        settings.threads = threads
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        var topology = topology(rules)
        if let storeFormat {
            for index in topology.sources.indices { topology.sources[index].state?.formatVersion = storeFormat }
        }
        return StreamApplication(settings: settings, topology: topology, logger: logger)
    }

    private var settings: StreamSettings {
        StreamSettings(
            applicationID: applicationID,
            client: ["bootstrap.servers": bootstrapServers],
            stateDirectory: stateDirectory
        )
    }

    private func topology(_ rules: PayloadRules) -> Topology {
        PayloadTopology.make(topics: topics, rules: rules, isInputKeyed: isInputKeyed, eventSource: "/test")
    }

    /// The stores as they lie on the disk.
    func offlineStores() throws -> OfflineStores {
        try OfflineStores(settings: settings, topology: topology(PayloadRules()))
    }

    /// Runs a worker while `body` does, and stops it in good order.
    func run(
        _ rules: PayloadRules,
        threads: Int = 1,
        storeFormat: Int? = nil,
        onCommitStep: @escaping @Sendable (CommitStep) throws(StreamError) -> Void = { _ in },
        while body: (StreamApplication) async throws -> Void
    ) async throws {
        let application = application(
            rules,
            threads: threads,
            storeFormat: storeFormat,
            onCommitStep: onCommitStep
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            do {
                try await body(application)
            } catch {
                application.requestStop()
                throw error
            }
            application.requestStop()
            try await group.waitForAll()
        }
    }

    /// Writes values to the input, unkeyed, each to the next partition.
    func send(_ values: [String?], key: String? = nil, headers: [Header] = []) throws {
        let producer = try Producer(["bootstrap.servers": bootstrapServers])
        let topic = try producer.topic(topics.input)
        for (index, value) in values.enumerated() {
            let value = value.map { Array($0.utf8) }
            let key = key.map { Array($0.utf8) }
            try (value ?? []).withUnsafeBytes { valueBytes in
                try (key ?? []).withUnsafeBytes { keyBytes in
                    try producer.produce(
                        to: topic,
                        partition: Int32(index) % TestWorker.partitions,
                        key: key == nil ? nil : keyBytes,
                        value: value == nil ? nil : valueBytes,
                        headers: RecordHeaders(headers)
                    )
                }
            }
        }
        try producer.flush(timeout: .seconds(20))
        producer.close()
    }

    /// Writes a record to a topic that the worker writes itself.
    func write(_ id: String, _ value: [UInt8], to topic: String) throws {
        let producer = try Producer(["bootstrap.servers": bootstrapServers])
        let topic = try producer.topic(topic)
        try Array(id.utf8).withUnsafeBytes { key in
            try value.withUnsafeBytes { try producer.produce(to: topic, key: key, value: $0) }
        }
        try producer.flush(timeout: .seconds(20))
        producer.close()
    }

    /// A record as a test looks at it.
    struct Seen {
        var key: String?
        var value: [UInt8]?
        var headers: [Header]
        var partition: Int32

        func header(_ name: String) -> String? {
            headers.last { $0.name == name }?.value.map { String(decoding: $0, as: UTF8.self) }
        }

        var json: [String: Any] {
            let object = try? JSONSerialization.jsonObject(with: Data(value ?? []))
            return object as? [String: Any] ?? [:]
        }
    }

    /// Everything in a topic now.
    func records(of topic: String) throws -> [Seen] {
        let consumer = try Consumer(["bootstrap.servers": bootstrapServers, "group.id": "reader"])
        defer { consumer.close() }
        let count = try consumer.partitionCount(of: topic, timeout: .seconds(10)) ?? 0
        var open = Set((0..<Int32(count)).map { TopicPartition(topic: topic, partition: $0) })
        try consumer.assign(Dictionary(uniqueKeysWithValues: open.map { ($0, Consumer.offsetBeginning) }))
        var seen: [Seen] = []
        let deadline = ContinuousClock.now + .seconds(30)
        while !open.isEmpty && ContinuousClock.now < deadline {
            guard let event = consumer.poll(timeout: .milliseconds(100)) else { continue }
            switch consume event {
            case .record(let record):
                seen.append(
                    Seen(
                        key: record.key.map { String(decoding: $0, as: UTF8.self) },
                        value: record.value.map { Array($0) },
                        headers: record.headers,
                        partition: record.partition
                    )
                )
            case .partitionEnd(let partition, _): open.remove(partition)
            case .error: break
            }
        }
        return seen
    }

    func outcomes() throws -> [Seen] { try records(of: topics.outcomes) }

    /// The payload as its partition's store has it.
    func payload(_ id: String, in application: StreamApplication) throws -> PayloadState? {
        let id = try PayloadID(normalizing: id)
        let partition = id.withUTF8 { Partitioner.murmur2($0, partitionCount: TestWorker.partitions) }
        guard let store = application.tasks.store(topic: payloadTopic, partition: partition).store else { return nil }
        return try PayloadStore.payload(id, in: store)
    }
}

extension TestWorker {
    /// Ids of what the stores list.
    func list(_ filter: PayloadFilter, in application: StreamApplication) throws -> [String] {
        let stores = application.tasks.stores(topic: payloadTopic)
        return try PayloadList.page(of: stores, filter, after: nil, limit: 100).items.map(\.state.id.description)
    }
}

/// Waits, generously, until something holds.
func eventually(_ what: Comment, _ condition: () throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(180)
    while ContinuousClock.now < deadline {
        if try condition() { return }
        try await Task.sleep(for: .milliseconds(50))
    }
    Issue.record(what)
}

func status(_ id: String, _ service: String, _ status: String, at second: Int, message: String? = nil) -> String {
    let text = message.map { ",\"status_msg\":\"\($0)\"" } ?? ""
    let date = "2024-01-02T03:04:\(second < 10 ? "0" : "")\(second)Z"
    return "{\"request_id\":\"\(id)\",\"service\":\"\(service)\",\"status\":\"\(status)\",\"date\":\"\(date)\"\(text)}"
}
