import Foundation
import KafkaClient
import Testing

private let bootstrap = ProcessInfo.processInfo.environment["KAFKA_BOOTSTRAP"]

/// What only a real Kafka can show; runs where KAFKA_BOOTSTRAP names one.
@Suite("Kafka", .enabled(if: bootstrap != nil))
struct KafkaTests {
    private let admin: Admin
    /// Unique, so that runs do not meet.
    private let name = "kafka-client-test-\(UUID().uuidString.lowercased())"

    init() throws {
        admin = try Admin(["bootstrap.servers": bootstrap ?? ""])
    }

    private func withTopic(
        partitions: Int32 = 1,
        configuration: [String: String] = [:],
        _ body: (TopicPartition) throws -> Void
    ) throws {
        let topic = NewTopic(
            name: name,
            partitions: partitions,
            replicationFactor: 1,
            configuration: configuration
        )
        try admin.createTopics([topic], timeout: .seconds(30))[name]?.get()
        defer { _ = try? admin.deleteTopics([name], timeout: .seconds(30)) }
        let seen = try eventually { try admin.describeTopics([name], timeout: .seconds(30))[name] != nil }
        #expect(seen)
        try body(TopicPartition(topic: name, partition: 0))
    }

    private func consumer(_ settings: ClientConfiguration = [:]) throws -> Consumer {
        let required: ClientConfiguration = [
            "bootstrap.servers": bootstrap ?? "", "group.id": name, "auto.offset.reset": "earliest",
        ]
        return try Consumer(required.merging(settings))
    }

    private func producer(transactionalID: String? = nil) throws -> Producer {
        var configuration: ClientConfiguration = ["bootstrap.servers": bootstrap ?? ""]
        configuration["transactional.id"] = transactionalID
        let producer = try Producer(configuration)
        if transactionalID != nil { try producer.initTransactions(timeout: .seconds(30)) }
        return producer
    }

    private func takeAll(_ partition: TopicPartition, isolation: String) throws -> [String] {
        let reader = try consumer(["isolation.level": isolation])
        try reader.assign([partition: Consumer.offsetBeginning])
        return try reader.takeAll(of: [partition]).map(\.text)
    }

    @Test("Internal topics would be created with the wrong settings, and nobody could check them")
    func createsAndDescribesTopics() throws {
        try withTopic(partitions: 3, configuration: ["cleanup.policy": "compact", "retention.ms": "-1"]) { _ in
            let again = try admin.createTopics([NewTopic(name: name, partitions: 1)], timeout: .seconds(30))
            #expect(code(of: again[name]) == .topicAlreadyExists)
            #expect(try admin.describeTopics([name], timeout: .seconds(30))[name]?.partitions.count == 3)
            #expect(try consumer().partitionCount(of: name, timeout: .seconds(30)) == 3)
            #expect(try admin.listTopics(timeout: .seconds(30)).contains { $0.name == name })
            let settings = try admin.topicConfiguration(of: name, timeout: .seconds(30))
            #expect(settings["cleanup.policy"] == "compact")
            #expect(settings["retention.ms"] == "-1")
            #expect(settings["max.message.bytes"] != nil)
        }
        let gone = try eventually { try admin.describeTopics([name], timeout: .seconds(30))[name] == nil }
        #expect(gone)
        let missing = try admin.deleteTopics([name], timeout: .seconds(30))
        #expect(code(of: missing[name]) == .unknownTopicOrPartition)
        #expect(throws: KafkaError.self) { try admin.topicConfiguration(of: name, timeout: .seconds(30)) }
        let wrong = NewTopic(name: name, partitions: 1, configuration: ["cleanup.policy": "origami"])
        let refused = try admin.createTopics([wrong], timeout: .seconds(30))
        #expect(code(of: refused[name]) == .invalidConfiguration)
    }

    private func code(of result: Result<Void, KafkaError>?) -> KafkaError.Code? {
        guard case .failure(let error)? = result else { return nil }
        return error.code
    }

    @Test("The repartition topic would never be purged, and lag could not be told by time")
    func deletesRecordsAndFindsThemByTime() throws {
        try withTopic { partition in
            let producer = try producer()
            let topic = try producer.topic(name)
            for index in 0..<10 {
                try producer.produce(to: topic, value: [UInt8(index)], timestamp: 1_000 * Int64(index + 1))
            }
            try producer.flush(timeout: .seconds(30))
            let reader = try consumer()
            let found = try reader.offsets(at: [partition: 3_500], timeout: .seconds(30))
            #expect(found == [partition: 3])
            #expect(try reader.offsets(at: [partition: 99_000], timeout: .seconds(30)).isEmpty)
            let outcome = try admin.deleteRecords(before: [partition: 4], timeout: .seconds(30))
            #expect(try outcome[partition]?.get() == 4)
            #expect(try reader.watermarks(partition, timeout: .seconds(30)) == (4, 10))
            let tooFar = try admin.deleteRecords(before: [partition: 99], timeout: .seconds(30))
            #expect(throws: KafkaError.self) { try tooFar[partition]?.get() }
        }
    }

    @Test("Nobody could find out which worker owns a partition")
    func describesGroups() throws {
        try withTopic(partitions: 2) { partition in
            let member = try consumer([
                "client.id": "worker-1", "group.instance.id": "static-1", "partition.assignment.strategy": "range",
            ])
            let rebalances = RecordedRebalances()
            try member.subscribe(to: [name], rebalance: rebalances)
            let joined = eventually({ rebalances.owned.count == 2 }) { _ = member.poll(timeout: .milliseconds(50)) }
            #expect(joined)
            let group = try admin.describeGroups([name], timeout: .seconds(30))[name]?.get()
            #expect(group?.state == .stable)
            #expect(group?.assignor == "range")
            let description = try #require(group?.members.first)
            #expect(description.id == member.memberID)
            #expect(description.clientID == "worker-1")
            #expect(description.groupInstanceID == "static-1")
            #expect(description.host.contains("127.0.0.1"))
            #expect(Set(description.assignment) == rebalances.owned)

            // The same static id again: the first is fenced (KIP-345).
            let successor = try consumer(["group.instance.id": "static-1", "partition.assignment.strategy": "range"])
            let successorRebalances = RecordedRebalances()
            try successor.subscribe(to: [name], rebalance: successorRebalances)
            let fenced = eventually({ member.fatalError != nil && successorRebalances.owned.count == 2 }) {
                _ = member.poll(timeout: .milliseconds(20))
                _ = successor.poll(timeout: .milliseconds(20))
            }
            #expect(fenced)
            #expect(member.fatalError?.code == .fencedInstanceID)
            try successor.commit([partition: 0], timeout: .seconds(30))
            member.close()

            let nonEmpty = try admin.deleteGroups([name], timeout: .seconds(30))
            #expect(code(of: nonEmpty[name]) == .nonEmptyGroup)
            successor.close()
        }
    }

    @Test("A coordinator that is found after a request timed out would crash the worker")
    func requestsToACoordinatorTimeOut() throws {
        for milliseconds in 0..<30 {
            _ = try? admin.describeGroups([name], timeout: .milliseconds(milliseconds))
        }
        let group = try admin.describeGroups([name], timeout: .seconds(30))[name]?.get()
        #expect(group?.state == .dead)
    }

    @Test("Outcomes could be seen twice, or although their work was thrown away")
    func transactionsCommitAndAbort() throws {
        try withTopic { partition in
            let producer = try producer(transactionalID: name)
            let topic = try producer.topic(name)
            try producer.beginTransaction()
            try producer.produce(to: topic, text: "committed")
            try producer.commitTransaction(timeout: .seconds(30))
            try producer.beginTransaction()
            try producer.produce(to: topic, text: "aborted")
            // Written, but not committed.
            try producer.flush(timeout: .seconds(30))
            try producer.abortTransaction(timeout: .seconds(30))
            try producer.beginTransaction()
            try producer.produce(to: topic, text: "open")
            try producer.flush(timeout: .seconds(30))
            #expect(try takeAll(partition, isolation: "read_committed") == ["committed"])
            #expect(try takeAll(partition, isolation: "read_uncommitted") == ["committed", "aborted", "open"])
            let committed = try consumer().watermarks(partition, timeout: .seconds(30))
            let uncommitted = try consumer(["isolation.level": "read_uncommitted"])
                .watermarks(partition, timeout: .seconds(30))
            #expect(committed.high < uncommitted.high)
            try producer.commitTransaction(timeout: .seconds(30))
            #expect(try takeAll(partition, isolation: "read_committed") == ["committed", "open"])
        }
    }

    @Test("A worker that was taken for dead could still commit")
    func transactionsFenceTheirFormerOwner() throws {
        try withTopic { partition in
            let former = try producer(transactionalID: name)
            try former.beginTransaction()
            try former.produce(to: try former.topic(name), text: "too late")
            try former.flush(timeout: .seconds(30))
            let successor = try producer(transactionalID: name)
            let error = #expect(throws: KafkaError.self) { try former.commitTransaction(timeout: .seconds(30)) }
            #expect(error?.kind == .fatal)
            #expect(former.fatalError != nil)
            try successor.beginTransaction()
            try successor.produce(to: try successor.topic(name), text: "in time")
            try successor.commitTransaction(timeout: .seconds(30))
            #expect(try takeAll(partition, isolation: "read_committed") == ["in time"])
        }
    }

    @Test(
        "Input could be counted as done although its outcomes were thrown away, or by a worker that no longer owns it"
    )
    func transactionsCarryOffsets() throws {
        try withTopic { partition in
            let member = try consumer(["session.timeout.ms": "6000"])
            let rebalances = RecordedRebalances()
            try member.subscribe(to: [name], rebalance: rebalances)
            let joined = eventually({ !rebalances.owned.isEmpty }) { _ = member.poll(timeout: .milliseconds(50)) }
            #expect(joined)
            let producer = try producer(transactionalID: name)
            let topic = try producer.topic(name)
            let metadata = try #require(member.groupMetadata())

            try producer.beginTransaction()
            try producer.produce(to: topic, text: "one")
            try producer.sendOffsets([partition: 5], group: metadata, timeout: .seconds(30))
            try producer.commitTransaction(timeout: .seconds(30))
            #expect(try member.committed([partition], timeout: .seconds(30)) == [partition: 5])

            try producer.beginTransaction()
            try producer.produce(to: topic, text: "two")
            try producer.sendOffsets([partition: 6], group: metadata, timeout: .seconds(30))
            try producer.abortTransaction(timeout: .seconds(30))
            #expect(try member.committed([partition], timeout: .seconds(30)) == [partition: 5])

            // The group goes on without this member: its metadata is of an old generation.
            member.close()
            let successor = try consumer()
            let successorRebalances = RecordedRebalances()
            try successor.subscribe(to: [name], rebalance: successorRebalances)
            let taken = eventually({ !successorRebalances.owned.isEmpty }) {
                _ = successor.poll(timeout: .milliseconds(50))
            }
            #expect(taken)
            try producer.beginTransaction()
            try producer.produce(to: topic, text: "three")
            let error = #expect(throws: KafkaError.self) {
                try producer.sendOffsets([partition: 7], group: metadata, timeout: .seconds(30))
            }
            #expect(error?.kind == .abortable)
            try producer.abortTransaction(timeout: .seconds(30))
            #expect(try successor.committed([partition], timeout: .seconds(30)) == [partition: 5])
        }
    }

    @Test("Two workers would work on the same partition during a cooperative rebalance")
    func cooperativeMembersShare() throws {
        try withTopic(partitions: 4) { _ in
            let members = try (0..<2).map { _ in try consumer(["partition.assignment.strategy": "cooperative-sticky"]) }
            let rebalances = [RecordedRebalances(), RecordedRebalances()]
            for (member, listener) in zip(members, rebalances) {
                try member.subscribe(to: [name], rebalance: listener)
            }
            let shared = eventually({ rebalances.allSatisfy { $0.owned.count == 2 } }) {
                for member in members { _ = member.poll(timeout: .milliseconds(20)) }
                #expect(rebalances[0].owned.isDisjoint(with: rebalances[1].owned))
            }
            #expect(shared)
            members[0].close()
            let takenOver = eventually({ rebalances[1].owned.count == 4 }) {
                _ = members[1].poll(timeout: .milliseconds(50))
            }
            #expect(takenOver)
        }
    }
}
