import KafkaClient
import Testing

@Suite("Group")
struct GroupTests {
    private let all = Set((0..<4).map { TopicPartition(topic: "input", partition: $0) })
    private let broker: EmbeddedBroker

    init() throws {
        broker = try EmbeddedBroker(topics: [("input", 4)])
        let producer = try Producer(["bootstrap.servers": broker.bootstrapServers])
        let topic = try producer.topic("input")
        for index in 0..<20 {
            try producer.produce(to: topic, partition: Int32(index % 4), text: "\(index / 4)")
        }
        try producer.flush(timeout: .seconds(30))
    }

    private func member(_ assignor: String, events: ClientEvents = ClientEvents()) throws -> Consumer {
        try Consumer(
            [
                "bootstrap.servers": broker.bootstrapServers, "group.id": "group",
                "partition.assignment.strategy": assignor, "auto.offset.reset": "earliest",
                // The embedded broker needs more than 3 s, and waits for all but one of them before it rebalances.
                "session.timeout.ms": "4000", "heartbeat.interval.ms": "200",
            ],
            events: events
        )
    }

    @Test(
        "Two workers would work on the same partition, or one partition would have no worker",
        arguments: [("range", RebalanceProtocol.eager), ("cooperative-sticky", .cooperative)]
    )
    func twoMembersShare(assignor: String, agreed: RebalanceProtocol) throws {
        let first = try member(assignor)
        let second = try member(assignor)
        let firstRebalances = RecordedRebalances()
        let secondRebalances = RecordedRebalances()
        try first.subscribe(to: ["input"], rebalance: firstRebalances)
        let alone = eventually({ firstRebalances.owned == all }) { _ = first.poll(timeout: .milliseconds(50)) }
        #expect(alone)
        #expect(first.rebalanceProtocol == agreed)
        #expect(first.memberID != nil)
        #expect(first.groupMetadata() != nil)

        try second.subscribe(to: ["input"], rebalance: secondRebalances)
        let shared = eventually({ firstRebalances.owned.count == 2 && secondRebalances.owned.count == 2 }) {
            _ = first.poll(timeout: .milliseconds(20))
            _ = second.poll(timeout: .milliseconds(20))
        }
        #expect(shared)
        #expect(firstRebalances.owned.union(secondRebalances.owned) == all)
        #expect(Set(first.assignment) == firstRebalances.owned)
        // Eager gives everything up in between, cooperative only what moves.
        let given = agreed == .eager ? all : secondRebalances.owned
        #expect(firstRebalances.events.contains(.revoked(given, lost: false)))

        second.close()
        let kept = firstRebalances.owned
        #expect(secondRebalances.owned.isEmpty)
        let takenOver = eventually({ firstRebalances.owned == all }) { _ = first.poll(timeout: .milliseconds(50)) }
        #expect(takenOver)
        if agreed == .cooperative {
            #expect(firstRebalances.events.last == .assigned(all.subtracting(kept)))
        }
        first.close()
        #expect(firstRebalances.owned.isEmpty)
    }

    @Test(
        "Work done before a rebalance would be done again by the next owner, or reading would start at the wrong place"
    )
    func listenersCanSeekAndCommit() throws {
        let consumer = try member("range")
        let rebalances = RecordedRebalances()
        var failures: [any Error] = []
        rebalances.onAssigned = { [unowned consumer] partitions in
            do {
                try consumer.pause(partitions)
                try consumer.seek(Dictionary(uniqueKeysWithValues: partitions.map { ($0, 3) }), timeout: .seconds(30))
                try consumer.resume(partitions)
            } catch {
                failures.append(error)
            }
        }
        rebalances.onRevoked = { [unowned consumer] partitions in
            do {
                try consumer.commit(
                    Dictionary(uniqueKeysWithValues: partitions.map { ($0, 4) }),
                    timeout: .seconds(30)
                )
            } catch {
                failures.append(error)
            }
        }
        try consumer.subscribe(to: ["input"], rebalance: rebalances)
        let records = try consumer.take(8)
        #expect(records.map(\.offset).sorted() == [3, 3, 3, 3, 4, 4, 4, 4])
        consumer.close()
        #expect(rebalances.events.last == .revoked(all, lost: false))
        #expect(failures.isEmpty, "\(failures)")
        let next = try member("range")
        let committed = try next.committed(Array(all), timeout: .seconds(30))
        #expect(committed == Dictionary(uniqueKeysWithValues: all.map { ($0, 4) }))
    }

    @Test("A worker that is stopped while it starts would crash or hang", arguments: ["range", "cooperative-sticky"])
    func closesBeforeTheFirstAssignment(assignor: String) throws {
        for pollCount in [0, 1, 20, 70] {
            let events = RecordedEvents()
            let consumer = try member(assignor, events: events.clientEvents)
            let rebalances = RecordedRebalances()
            try consumer.subscribe(to: ["input"], rebalance: rebalances)
            for _ in 0..<pollCount {
                _ = consumer.poll(timeout: .milliseconds(50))
            }
            consumer.close()
            #expect(rebalances.owned.isEmpty)
            #expect(events.errors.isEmpty)
        }
    }

    @Test("A worker would hang for ever when it is stopped while the broker is away")
    func closesWhileTheBrokerIsAway() throws {
        let consumer = try member("range")
        let rebalances = RecordedRebalances()
        try consumer.subscribe(to: ["input"], rebalance: rebalances)
        let joined = eventually({ rebalances.owned == all }) { _ = consumer.poll(timeout: .milliseconds(50)) }
        #expect(joined)
        try broker.setBroker(up: false)
        consumer.close(timeout: .seconds(2))
        #expect(rebalances.owned.isEmpty)
    }
}
