import KafkaClient
import Testing

/// What the embedded broker can answer; the rest is in KafkaTests.
@Suite("Admin")
struct AdminTests {
    private let broker: EmbeddedBroker
    private let admin: Admin

    init() throws {
        broker = try EmbeddedBroker(brokerCount: 3, topics: [("a", 2), ("b", 1)])
        admin = try Admin(["bootstrap.servers": broker.bootstrapServers])
    }

    @Test("The topics command would show the wrong topics, or create those it looks for")
    func describesTopics() throws {
        let topics = try admin.describeTopics(["a", "missing"], timeout: .seconds(30))
        #expect(Array(topics.keys) == ["a"])
        #expect(topics["a"]?.partitions.map(\.id) == [0, 1])
        #expect(topics["a"]?.partitions.allSatisfy { (1...3).contains($0.leader ?? 0) } == true)
        #expect(topics["a"]?.partitions.allSatisfy { !$0.replicas.isEmpty && !$0.inSyncReplicas.isEmpty } == true)
        #expect(Set(try admin.listTopics(timeout: .seconds(30)).map(\.name)) == ["a", "b"])
    }

    @Test("A broker that can't do a request would crash the worker")
    func unsupportedRequestsThrow() throws {
        let calls: [() throws -> Void] = [
            { _ = try admin.createTopics([NewTopic(name: "c", partitions: 1)], timeout: .seconds(1)) },
            { _ = try admin.deleteTopics(["a"], timeout: .seconds(1)) },
            { _ = try admin.topicConfiguration(of: "a", timeout: .seconds(1)) },
            {
                let outcomes = try admin.deleteRecords(
                    before: [TopicPartition(topic: "a", partition: 0): 0],
                    timeout: .seconds(1)
                )
                for outcome in outcomes.values { _ = try outcome.get() }
            },
            { for outcome in try admin.describeGroups(["g"], timeout: .seconds(1)).values { _ = try outcome.get() } },
            { for outcome in try admin.deleteGroups(["g"], timeout: .seconds(1)).values { try outcome.get() } },
        ]
        for call in calls {
            #expect(throws: KafkaError.self) { try call() }
        }
    }

    @Test("A broker that is away would block the caller for longer than it asked for")
    func timesOut() throws {
        broker.close()
        let error = #expect(throws: KafkaError.self) { try admin.listTopics(timeout: .milliseconds(300)) }
        #expect(error?.kind == .retriable)
    }
}
