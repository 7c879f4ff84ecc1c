import KafkaClient
import Testing

@Suite("Consumer")
struct ConsumerTests {
    private let partition = TopicPartition(topic: "input", partition: 0)
    private let other = TopicPartition(topic: "input", partition: 1)
    private let broker: EmbeddedBroker

    init() throws {
        broker = try EmbeddedBroker(topics: [("input", 2)])
        let producer = try Producer(["bootstrap.servers": broker.bootstrapServers])
        let topic = try producer.topic("input")
        for index in 0..<10 {
            try producer.produce(to: topic, partition: 0, text: "\(index)")
        }
        try producer.flush(timeout: .seconds(30))
    }

    private func consumer(
        group: String = "group",
        _ settings: ClientConfiguration = [:],
        events: ClientEvents = ClientEvents()
    ) throws -> Consumer {
        let required: ClientConfiguration = ["bootstrap.servers": broker.bootstrapServers, "group.id": group]
        return try Consumer(required.merging(settings), events: events)
    }

    @Test("A restore would never know that it is done")
    func tellsTheEndOfAPartition() throws {
        let consumer = try consumer()
        try consumer.assign([partition: 4, other: Consumer.offsetBeginning])
        #expect(Set(consumer.assignment) == [partition, other])
        var records: [ReceivedRecord] = []
        var ends: [TopicPartition: Int64] = [:]
        let ended = try eventually({ ends.count == 2 }, polling: { try consumer.poll(into: &records, ends: &ends) })
        #expect(ended)
        #expect(ends == [partition: 10, other: 0])
        #expect(records.map(\.text) == (4..<10).map(String.init))
        #expect(consumer.position([partition, other]) == [partition: 10])
        consumer.unassign()
        #expect(consumer.assignment.isEmpty)
    }

    @Test("A rewound consumer would skip or repeat records, a paused one would go on")
    func pausesSeeksAndResumes() throws {
        let consumer = try consumer()
        try consumer.assign([partition: Consumer.offsetBeginning])
        #expect(try consumer.take(3).map(\.offset) == [0, 1, 2])
        try consumer.pause([partition])
        try consumer.seek([partition: 1], timeout: .seconds(30))
        for _ in 0..<10 {
            if case .record? = consumer.poll(timeout: .milliseconds(20)) {
                Issue.record("a record of a paused partition")
            }
        }
        try consumer.resume([partition])
        #expect(try consumer.take(9).map(\.offset) == Array(1..<10))
        #expect(throws: KafkaError.self) {
            try consumer.seek([TopicPartition(topic: "elsewhere", partition: 0): 0], timeout: .seconds(1))
        }
    }

    @Test("Having more fetched would lose or repeat records")
    func resumesFetching() throws {
        let producer = try Producer(["bootstrap.servers": broker.bootstrapServers])
        let topic = try producer.topic("input")
        for index in 0..<4_000 { try producer.produce(to: topic, partition: Int32(index % 2), text: "\(index)") }
        try producer.flush(timeout: .seconds(30))
        let consumer = try consumer(["queued.min.messages": "20", "max.partition.fetch.bytes": "1000"])
        try consumer.assign([partition: 10, other: 0])
        var records: [ReceivedRecord] = []
        var ends: [TopicPartition: Int64] = [:]
        var waiting = 0
        let ended = try eventually(
            { ends.count == 2 },
            polling: {
                try consumer.poll(into: &records, ends: &ends)
                waiting = max(waiting, consumer.queuedCount)
                if consumer.queuedCount < 10 { consumer.resumeFetching([partition, other]) }
            }
        )
        #expect(ended)
        #expect(waiting > 0)
        #expect(records.filter { $0.partition == 0 }.map(\.text) == stride(from: 0, to: 4_000, by: 2).map(String.init))
        #expect(records.filter { $0.partition == 1 }.map(\.text) == stride(from: 1, to: 4_000, by: 2).map(String.init))
        consumer.close()
        #expect(consumer.queuedCount == 0)
        consumer.resumeFetching([partition])
    }

    @Test("A restarted worker would read from the wrong place")
    func committedOffsetsAreKept() throws {
        let writer = try consumer(group: "kept")
        try writer.commit([partition: 7], timeout: .seconds(30))
        try writer.commit([:])
        #expect(try writer.committed([partition, other], timeout: .seconds(30)) == [partition: 7])
        writer.close()
        let reader = try consumer(group: "kept")
        #expect(try reader.committed([partition, other], timeout: .seconds(30)) == [partition: 7])
        try reader.assign([partition: Consumer.offsetCommitted])
        #expect(try reader.take(1).map(\.offset) == [7])
    }

    @Test("A refused commit would pass for a done one")
    func refusedCommitsThrow() throws {
        let consumer = try consumer(group: "refused")
        try consumer.commit([partition: 1], timeout: .seconds(30))
        try broker.inject(errors: [.illegalGeneration], into: .offsetCommit)
        let error = #expect(throws: KafkaError.self) { try consumer.commit([partition: 2], timeout: .seconds(30)) }
        #expect(error?.code == .illegalGeneration)
        #expect(error?.kind == .abortable)
        #expect(try consumer.committed([partition], timeout: .seconds(30)) == [partition: 1])
    }

    @Test("A worker could not tell how far it is behind")
    func asksForWatermarks() throws {
        let consumer = try consumer()
        let watermarks = try consumer.watermarks(partition, timeout: .seconds(30))
        #expect(watermarks.low == 0)
        #expect(watermarks.high == 10)
        #expect(try consumer.watermarks(other, timeout: .seconds(30)) == (0, 0))
        #expect(throws: KafkaError.self) {
            try consumer.watermarks(TopicPartition(topic: "input", partition: 9), timeout: .seconds(5))
        }
    }

    @Test("Looking for a topic would create it")
    func countingPartitionsCreatesNothing() throws {
        let consumer = try consumer()
        for _ in 0..<2 {
            #expect(try consumer.partitionCount(of: "missing", timeout: .seconds(30)) == nil)
        }
        #expect(try consumer.partitionCount(of: "input", timeout: .seconds(30)) == 2)
        let admin = try Admin(["bootstrap.servers": broker.bootstrapServers])
        #expect(try admin.listTopics(timeout: .seconds(30)).map(\.name) == ["input"])
    }

    @Test("A late call on a closed consumer would crash the worker")
    func isUsableAfterClose() throws {
        let consumer = try consumer()
        try consumer.assign([partition: 0])
        consumer.close()
        consumer.close()
        if consumer.poll(timeout: .zero) != nil { Issue.record("an event of a closed consumer") }
        #expect(consumer.assignment.isEmpty)
        #expect(consumer.position([partition]).isEmpty)
        #expect(consumer.groupMetadata() == nil)
        #expect(consumer.memberID == nil)
        #expect(consumer.rebalanceProtocol == .none)
        #expect(!consumer.isAssignmentLost)
        consumer.unassign()
        let calls: [() throws -> Void] = [
            { try consumer.assign([partition: 0]) }, { try consumer.commit([partition: 0]) },
            { try consumer.pause([partition]) }, { try consumer.seek([partition: 0], timeout: .zero) },
            { _ = try consumer.watermarks(partition, timeout: .zero) },
            { _ = try consumer.partitionCount(of: "input", timeout: .zero) },
            { try consumer.subscribe(to: ["input"], rebalance: RecordedRebalances()) },
        ]
        for call in calls {
            let error = #expect(throws: KafkaError.self) { try call() }
            #expect(error?.code == .closed)
        }
    }

    @Test("A record that is still in use would make the shutdown hang or read freed memory")
    func aRecordMayOutliveItsConsumer() throws {
        let events = RecordedEvents()
        let consumer = try consumer(events: events.clientEvents)
        try consumer.assign([partition: 3])
        var isDone = false
        let polled = eventually({ isDone }) {
            guard case .record(let record)? = consumer.poll(timeout: .milliseconds(50)) else { return }
            consumer.close()
            #expect(ReceivedRecord(record).text == "3")
            isDone = true
        }
        #expect(polled)
    }

    @Test("Lag and throughput could not be watched, and the library would write to the terminal")
    func tellsStatisticsAndLogs() throws {
        let events = RecordedEvents()
        let consumer = try consumer(
            ["statistics.interval.ms": "50", "debug": "consumer"],
            events: events.clientEvents
        )
        try consumer.assign([partition: 0])
        let told = eventually({ !events.statistics.isEmpty && !events.logs.isEmpty }) {
            _ = consumer.poll(timeout: .milliseconds(50))
        }
        #expect(told)
        #expect(events.statistics.first?.hasPrefix("{") == true)
    }

    @Test("A broker that is away would stop the worker, or go unnoticed")
    func survivesABrokerThatIsAway() throws {
        let events = RecordedEvents()
        let consumer = try consumer(["reconnect.backoff.max.ms": "200"], events: events.clientEvents)
        try consumer.assign([partition: 0])
        #expect(try consumer.take(1).count == 1)
        try broker.setBroker(up: false)
        let noticed = eventually({ events.errors.contains { $0.code == .allBrokersDown } }) {
            _ = consumer.poll(timeout: .milliseconds(50))
        }
        #expect(noticed)
        #expect(events.errors.allSatisfy { $0.kind == .retriable })
        let error = #expect(throws: KafkaError.self) { try consumer.watermarks(partition, timeout: .milliseconds(200)) }
        #expect(error?.kind == .retriable)
        #expect(throws: KafkaError.self) { try consumer.commit([partition: 1], timeout: .milliseconds(200)) }
        try broker.setBroker(up: true)
        try consumer.seek([partition: 0], timeout: .seconds(30))
        #expect(try consumer.take(10).map(\.offset) == Array(0..<10))
    }
}
