import Foundation
import KafkaClient
import Logging
import PayloadModel
import PayloadTopology
import StreamRuntime
import Testing

/// A worker on a broker of its own, in this process, with its state in a directory of its own.
final class EmbeddedWorker: Sendable {
    let broker: EmbeddedBroker
    let topics = PayloadTopology.Topics(
        input: "input",
        outcomes: "outcomes",
        deadLetter: "dead-letter",
        repartition: "repartition",
        changelog: "changelog"
    )
    let stateDirectory = FileManager.default.temporaryDirectory.appending(path: "worker-\(UUID().uuidString)").path
    private let isInputKeyed: Bool

    static let partitions: Int32 = 3

    init(isInputKeyed: Bool = false, changelogPartitions: Int = Int(partitions)) throws {
        self.isInputKeyed = isInputKeyed
        let names = [topics.input, topics.outcomes, topics.deadLetter, topics.repartition]
        broker = try EmbeddedBroker(
            topics: names.map { ($0, Int(EmbeddedWorker.partitions)) } + [(topics.changelog, changelogPartitions)]
        )
    }

    deinit {
        broker.close()
        try? FileManager.default.removeItem(atPath: stateDirectory)
    }

    var payloadTopic: String { PayloadTopology.payloadTopic(topics, isInputKeyed: isInputKeyed) }

    func application(_ rules: PayloadRules, threads: Int = 1) -> StreamApplication {
        var settings = StreamSettings(
            applicationID: "test",
            client: ["bootstrap.servers": broker.bootstrapServers],
            stateDirectory: stateDirectory
        )
        settings.sessionTimeout = .seconds(20)
        settings.commitInterval = .milliseconds(50)
        settings.threads = threads
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return StreamApplication(
            settings: settings,
            topology: PayloadTopology.make(
                topics: topics,
                rules: rules,
                isInputKeyed: isInputKeyed,
                eventSource: "/test"
            ),
            logger: logger
        )
    }

    /// Runs a worker while `body` does, and stops it in good order.
    func run(
        _ rules: PayloadRules,
        threads: Int = 1,
        while body: (StreamApplication) async throws -> Void
    ) async throws {
        let application = application(rules, threads: threads)
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
        let producer = try Producer(["bootstrap.servers": broker.bootstrapServers])
        let topic = try producer.topic(topics.input)
        for (index, value) in values.enumerated() {
            let value = value.map { Array($0.utf8) }
            let key = key.map { Array($0.utf8) }
            try (value ?? []).withUnsafeBytes { valueBytes in
                try (key ?? []).withUnsafeBytes { keyBytes in
                    try producer.produce(
                        to: topic,
                        partition: Int32(index) % EmbeddedWorker.partitions,
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
        let consumer = try Consumer(["bootstrap.servers": broker.bootstrapServers, "group.id": "reader"])
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
        let partition = id.withUTF8 { Partitioner.murmur2($0, partitionCount: EmbeddedWorker.partitions) }
        guard let store = application.tasks.store(topic: payloadTopic, partition: partition).store else { return nil }
        return try PayloadStore.payload(id, in: store)
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
