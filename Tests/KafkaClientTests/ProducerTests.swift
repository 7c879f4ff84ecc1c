import KafkaClient
import Testing

@Suite("Producer")
struct ProducerTests {
    private let broker: EmbeddedBroker
    private let deliveries = RecordedDeliveries()
    private let events = RecordedEvents()

    init() throws {
        broker = try EmbeddedBroker(topics: [("input", 1), ("output", 2)])
    }

    private func producer(_ settings: ClientConfiguration = [:], withListener: Bool = true) throws -> Producer {
        let required: ClientConfiguration = ["bootstrap.servers": broker.bootstrapServers]
        return try Producer(
            required.merging(settings),
            events: events.clientEvents,
            delivery: withListener ? deliveries : nil
        )
    }

    @Test("A worker could not tell which records are safe")
    func reportsEachDelivery() throws {
        let producer = try producer()
        let topic = try producer.topic("output")
        for index: UInt in 0..<5 {
            try producer.produce(to: topic, partition: 1, key: "k", text: "value", opaque: index == 4 ? .max : index)
        }
        #expect(producer.outstandingCount == 5)
        try producer.flush(timeout: .seconds(30))
        #expect(producer.outstandingCount == 0)
        #expect(deliveries.deliveries.map(\.opaque) == [0, 1, 2, 3, .max])
        #expect(deliveries.deliveries.map(\.offset) == [0, 1, 2, 3, 4])
        for delivery in deliveries.deliveries {
            #expect(delivery.topicHandle == topic.handle)
            #expect(delivery.topic == "output")
            #expect(delivery.partition == 1)
            #expect(delivery.error == nil)
            #expect(delivery.keySize == 1)
            #expect(delivery.valueSize == 5)
        }
    }

    @Test("A full queue would lose records, or look like the end of the world")
    func aFullQueueIsRetriable() throws {
        try broker.setBroker(up: false)
        let producer = try producer(["queue.buffering.max.messages": "3"])
        let topic = try producer.topic("output")
        for _ in 0..<3 {
            try producer.produce(to: topic, text: "x")
        }
        let headers = [Header(name: "a", text: "kept by the caller")]
        let error = #expect(throws: KafkaError.self) { try producer.produce(to: topic, value: [1], headers: headers) }
        #expect(error?.code == .queueFull)
        #expect(error?.kind == .retriable)
        try broker.setBroker(up: true)
        try producer.flush(timeout: .seconds(60))
        try producer.produce(to: topic, value: [1], headers: headers)
        try producer.flush(timeout: .seconds(60))
        #expect(deliveries.deliveries.count == 4)
        #expect(deliveries.deliveries.allSatisfy { $0.error == nil })
    }

    @Test("A short disturbance at the broker would lose or repeat records")
    func retriableErrorsAreRetried() throws {
        try broker.inject(
            errors: [.notLeaderForPartition, .requestTimedOut, .notEnoughReplicas, .transport],
            into: .produce
        )
        let producer = try producer(["retry.backoff.ms": "50"])
        let topic = try producer.topic("output")
        for index: UInt in 0..<10 {
            try producer.produce(to: topic, partition: 0, text: "\(index)", opaque: index)
        }
        try producer.flush(timeout: .seconds(60))
        #expect(deliveries.deliveries.map(\.opaque) == Array(0..<10))
        #expect(deliveries.deliveries.map(\.offset) == Array(0..<10))
    }

    @Test("Records would be lost while the broker is away")
    func recordsWaitForTheBroker() throws {
        let producer = try producer(["reconnect.backoff.max.ms": "200"])
        let topic = try producer.topic("output")
        try producer.produce(to: topic, partition: 0, text: "before")
        try producer.flush(timeout: .seconds(30))
        try broker.setBroker(up: false)
        try producer.produce(to: topic, partition: 0, text: "while it is down")
        let noticed = eventually({ events.errors.contains { $0.code == .allBrokersDown } }) {
            producer.poll(timeout: .milliseconds(50))
        }
        #expect(noticed)
        let error = #expect(throws: KafkaError.self) { try producer.flush(timeout: .milliseconds(100)) }
        #expect(error?.code == .timedOut)
        try broker.setBroker(up: true)
        try producer.flush(timeout: .seconds(60))
        #expect(deliveries.deliveries.map(\.offset) == [0, 1])
    }

    @Test("Records that can never be written would be retried for ever, or take the producer down")
    func refusesWhatCanNotBeWritten() throws {
        let producer = try producer()
        let topic = try producer.topic("output")
        try producer.produce(to: topic, text: "makes the partitions known")
        try producer.flush(timeout: .seconds(30))
        let unknown = #expect(throws: KafkaError.self) {
            try producer.produce(to: topic, partition: 7, value: [], headers: [Header(name: "a", text: "b")])
        }
        #expect(unknown?.code == .unknownPartition)
        let large = #expect(throws: KafkaError.self) {
            try producer.produce(to: topic, value: [UInt8](repeating: 0, count: 2_000_000))
        }
        #expect(large?.code == .messageSizeTooLarge)
        #expect(large?.kind == .permanent)
        #expect(producer.fatalError == nil)
    }

    @Test("Without a delivery listener a lost record would go unnoticed")
    func flushThrowsTheFirstFailureWithoutAListener() throws {
        let producer = try producer(withListener: false)
        let topic = try producer.topic("output")
        try producer.produce(to: topic, partition: 0, text: "fine")
        try producer.flush(timeout: .seconds(30))
        try broker.inject(errors: [.invalidRecord], into: .produce)
        try producer.produce(to: topic, partition: 0, text: "refused")
        let error = #expect(throws: KafkaError.self) { try producer.flush(timeout: .seconds(30)) }
        #expect(error?.code == .invalidRecord)
        try producer.flush(timeout: .seconds(30))
    }

    @Test("A retry of the library could write a record twice: idempotence would be off")
    func isIdempotent() throws {
        // Only an idempotent producer asks for a producer id.
        try broker.inject(
            errors: Array(repeating: .init(rawValue: 31), count: 100),
            into: .initProducerID
        )  // cluster authorization
        let producer = try producer()
        let failed = eventually({ producer.fatalError != nil }) { producer.poll(timeout: .milliseconds(50)) }
        #expect(failed)
        #expect(producer.fatalError?.kind == .fatal)
        #expect(events.errors.contains { $0.kind == .fatal })
        let topic = try producer.topic("output")
        let error = #expect(throws: KafkaError.self) { try producer.produce(to: topic, text: "x") }
        #expect(error?.kind == .fatal)
    }

    @Test("Records dropped at the end would never be reported, so that nobody sends them again")
    func closeReportsWhatItDrops() throws {
        try broker.setBroker(up: false)
        let producer = try producer()
        let topic = try producer.topic("output")
        for _ in 0..<3 {
            try producer.produce(to: topic, partition: 0, text: "x")
        }
        producer.close()
        #expect(deliveries.deliveries.count == 3)
        #expect(deliveries.deliveries.allSatisfy { $0.error?.code == .purgedInQueue })
    }

    @Test("A late call on a closed producer would crash the worker")
    func isUsableAfterClose() throws {
        let producer = try producer(["transactional.id": "t"])
        let topic = try producer.topic("output")
        producer.close()
        producer.close()
        producer.poll(timeout: .zero)
        producer.purge()
        #expect(producer.outstandingCount == 0)
        #expect(producer.fatalError == nil)
        let calls: [() throws -> Void] = [
            { try producer.produce(to: topic, text: "x") }, { try producer.flush(timeout: .zero) },
            { _ = try producer.topic("another") }, { try producer.initTransactions(timeout: .zero) },
            { try producer.beginTransaction() }, { try producer.commitTransaction(timeout: .zero) },
        ]
        for call in calls {
            let error = #expect(throws: KafkaError.self) { try call() }
            #expect(error?.code == .closed)
        }
    }

    @Test("A topic's compression would depend on who asked first")
    func topicsHaveOneConfiguration() throws {
        let producer = try producer()
        let topic = try producer.topic("output", configuration: ["compression.codec": "lz4"])
        #expect(try producer.topic("output", configuration: ["compression.codec": "lz4"]) === topic)
        #expect(throws: KafkaError.self) { try producer.topic("output") }
        let error = #expect(throws: KafkaError.self) { try producer.topic("other", configuration: ["codec": "lz4"]) }
        #expect(error?.message.contains("codec") == true)
        let foreign = try self.producer().topic("output")
        #expect(throws: KafkaError.self) { try producer.produce(to: foreign, text: "x") }
    }

    @Test("Errors of a transaction would not say whether to retry, abort or start again")
    func transactionsRunAndTellTheKindOfTheirErrors() throws {
        let producer = try producer(["transactional.id": "t"])
        let early = #expect(throws: KafkaError.self) { try producer.beginTransaction() }
        #expect(early?.code == .state)
        try producer.initTransactions(timeout: .seconds(30))
        let topic = try producer.topic("output")

        try producer.beginTransaction()
        try producer.produce(to: topic, partition: 0, text: "one")
        try producer.commitTransaction(timeout: .seconds(30))
        #expect(deliveries.deliveries.map(\.error) == [nil])

        try producer.beginTransaction()
        let group = try Consumer(["bootstrap.servers": broker.bootstrapServers, "group.id": "group"])
        let metadata = try #require(group.groupMetadata())
        try producer.sendOffsets(
            [TopicPartition(topic: "input", partition: 0): 5],
            group: metadata,
            timeout: .seconds(30)
        )
        try producer.produce(to: topic, partition: 0, text: "two")
        try producer.commitTransaction(timeout: .seconds(30))

        try producer.beginTransaction()
        try broker.inject(errors: [.invalidRecord], into: .produce)
        try producer.produce(to: topic, partition: 0, text: "three")
        let refused = #expect(throws: KafkaError.self) { try producer.commitTransaction(timeout: .seconds(30)) }
        #expect(refused?.kind == .abortable)
        try producer.abortTransaction(timeout: .seconds(30))
    }
}
