import KafkaClient
import Testing

@Suite("Embedded broker")
struct EmbeddedBrokerTests {
    @Test("A demo on several brokers would reach only one of them")
    func hasSeveralBrokers() throws {
        let broker = try EmbeddedBroker(brokerCount: 3, topics: [("spread", 6)])
        #expect(broker.bootstrapServers.split(separator: ",").count == 3)
        let moved = TopicPartition(topic: "spread", partition: 0)
        try broker.setLeader(3, of: moved)
        let admin = try Admin(["bootstrap.servers": broker.bootstrapServers])
        let topic = try admin.describeTopics(["spread"], timeout: .seconds(30))["spread"]
        #expect(topic?.partitions.first?.leader == 3)
    }

    @Test("A slow network could not be rehearsed")
    func answersLate() throws {
        let broker = try EmbeddedBroker(topics: [("slow", 1)])
        try broker.setRoundTripTime(.milliseconds(500))
        let producer = try Producer(["bootstrap.servers": broker.bootstrapServers])
        try producer.produce(to: try producer.topic("slow"), text: "x")
        #expect(throws: KafkaError.self) { try producer.flush(timeout: .milliseconds(100)) }
        try producer.flush(timeout: .seconds(30))
    }

    @Test("A late call on a closed broker would crash the process")
    func isUsableAfterClose() throws {
        let broker = try EmbeddedBroker()
        broker.close()
        broker.close()
        let error = #expect(throws: KafkaError.self) { try broker.createTopic("late", partitions: 1) }
        #expect(error?.code == .closed)
    }

    @Test("A broker that does not exist would be taken for one that is up")
    func refusesWhatIsNotThere() throws {
        let broker = try EmbeddedBroker(topics: [("once", 1)])
        #expect(throws: KafkaError.self) { try broker.setBroker(9, up: false) }
        #expect(throws: KafkaError.self) { try broker.createTopic("once", partitions: 1) }
    }
}
