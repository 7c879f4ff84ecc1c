import Foundation
import KafkaClient
import RocksStore
import Testing

@testable import StreamRuntime

/// What an operator is told of topics before a worker runs on them. Creating is for the black-box scenarios: the embedded broker can't.
@Suite struct TopicInspectorTests {
    private let directory = FileManager.default.temporaryDirectory.appending(path: "topics-\(UUID().uuidString)").path

    private func settings(_ broker: EmbeddedBroker) -> StreamSettings {
        StreamSettings(
            applicationID: "app",
            client: ["bootstrap.servers": broker.bootstrapServers],
            stateDirectory: directory
        )
    }

    private let topology = Topology(
        sources: [],
        topics: [
            TopicSpecification(name: "in", role: .input),
            TopicSpecification(
                name: "log",
                role: .internal,
                configuration: ["cleanup.policy": "compact", "max.message.bytes": "1000", "segment.bytes": "5"]
            ),
        ]
    )

    @Test("a topic that is missing is named, one that is there is shown as it is")
    func missing() throws {
        let broker = try EmbeddedBroker(brokerCount: 1, topics: [("in", 3)])
        var settings = settings(broker)
        let reports = try TopicInspector(settings: settings, topology: topology).reports()
        #expect(reports.map(\.name) == ["in", "log"])
        #expect(reports[0].partitions == 3 && reports[0].replication == 1 && reports[0].problems.isEmpty)
        #expect(reports[0].configuration == nil, "this broker does not tell")
        #expect(reports[1].partitions == nil && reports[1].problems.count == 1)
        settings.replicationFactor = 3
        let poor = try TopicInspector(settings: settings, topology: topology).reports()
        #expect(poor[0].problems.contains { $0.contains("topics.replication-factor is 3") })
    }

    @Test("settings that lose records are wrong; more room than needed, and a matter of taste, are not")
    func configuration() {
        let log = topology.topics[1]
        #expect(log.problems(with: ["cleanup.policy": "compact", "max.message.bytes": "2000"]).isEmpty)
        #expect(log.problems(with: [:]).isEmpty)
        #expect(log.problems(with: ["segment.bytes": "9"]).isEmpty)
        let wrong = log.problems(with: ["cleanup.policy": "compact,delete", "max.message.bytes": "999"])
        #expect(wrong.count == 2)
        #expect(wrong[0].contains("set it to compact") && wrong[1].contains("raise it to 1000"))
    }

    @Test("a reset that cannot know whether a worker runs deletes nothing")
    func unknownMembers() throws {
        let broker = try EmbeddedBroker(brokerCount: 1, topics: [("log", 1)])
        let settings = settings(broker)
        try withState { path in
            let reset = ApplicationReset(settings: settings, topology: topology)
            for attempt in [{ _ = try reset.plan() }, { try reset.run() }] {
                let error = try #require(throws: StreamError.self) { try attempt() }
                guard case .incompatible = error else {
                    Issue.record("\(error)")
                    return
                }
            }
            #expect(FileManager.default.fileExists(atPath: path + "/store"))
        }
    }

    @Test("the state of a live process is not deleted under it")
    func locked() throws {
        try withState { path in
            let lock = try StateLock(path: path, patience: 0)
            let error = try #require(throws: StreamError.self) { _ = try StateLock(path: path, patience: 0) }
            #expect("\(error)".contains(path))
            withExtendedLifetime(lock) {}
        }
    }

    private func withState(_ body: (String) throws -> Void) throws {
        let path = directory + "/app"
        try FileManager.default.createDirectory(atPath: path + "/store", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try body(path)
    }
}
