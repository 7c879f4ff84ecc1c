import Foundation
import KafkaClient
import Testing

@testable import StreamRuntime

/// What a repartition copies is all that a payload has: a record that went missing, or another way round, would be lost for good.
@Suite struct RecordCopierTests {
    private let broker: EmbeddedBroker
    private let settings: StreamSettings

    /// As it lies in a topic.
    private struct Record: Equatable {
        var key: String
        var value: String?
        var timestamp: Int64
        var headers: [Header] = []
    }

    init() throws {
        broker = try EmbeddedBroker(topics: [("old", 3), ("new", 5), ("fewer", 1)])
        settings = StreamSettings(
            applicationID: "app",
            client: ["bootstrap.servers": broker.bootstrapServers],
            stateDirectory: "unused"
        )
    }

    private func partition(_ key: String, of count: Int32) -> Int32 {
        Array(key.utf8).withUnsafeBytes { Partitioner.murmur2($0, partitionCount: count) }
    }

    private func write(_ records: [Record], partition: ((String) -> Int32)? = nil) throws {
        let producer = try Producer(["bootstrap.servers": broker.bootstrapServers])
        defer { producer.close() }
        let topic = try producer.topic("old")
        for record in records {
            try Array(record.key.utf8).withUnsafeBytes { key in
                try Array((record.value ?? "").utf8).withUnsafeBytes { value in
                    try producer.produce(
                        to: topic,
                        partition: partition?(record.key) ?? self.partition(record.key, of: 3),
                        key: key,
                        value: record.value == nil ? nil : value,
                        timestamp: record.timestamp,
                        headers: RecordHeaders(record.headers)
                    )
                }
            }
        }
        try producer.flush(timeout: .seconds(30))
    }

    /// By partition, in their order.
    private func read(_ topic: String, _ count: Int32) throws -> [Int32: [Record]] {
        let consumer = try Consumer(["bootstrap.servers": broker.bootstrapServers, "group.id": "reader"])
        defer { consumer.close() }
        var open = Set((0..<count).map { TopicPartition(topic: topic, partition: $0) })
        try consumer.assign(Dictionary(uniqueKeysWithValues: open.map { ($0, Consumer.offsetBeginning) }))
        var found: [Int32: [Record]] = [:]
        let deadline = ContinuousClock.now + .seconds(30)
        while !open.isEmpty && ContinuousClock.now < deadline {
            guard let event = consumer.poll(timeout: .milliseconds(100)) else { continue }
            switch consume event {
            case .record(let record):
                found[record.partition, default: []].append(
                    Record(
                        key: String(decoding: record.key ?? .init(start: nil, count: 0), as: UTF8.self),
                        value: record.value.map { String(decoding: $0, as: UTF8.self) },
                        timestamp: record.timestamp,
                        headers: record.headers
                    )
                )
            case .partitionEnd(let partition, _): open.remove(partition)
            case .error: break
            }
        }
        return found
    }

    private func copy(to target: String, keysPartitionedBy count: Int32? = 3, from starts: [Int32: Int64] = [:])
        throws -> RecordCopier.Copy
    {
        let partitions = (0..<3).map { TopicPartition(topic: "old", partition: $0) }
        var lookup = OffsetLookup(
            settings.readerConfiguration(isolation: "read_uncommitted"),
            events: ClientEvents()
        )
        defer { lookup.close() }
        let ends = try lookup.ends(of: partitions, timeout: .seconds(10))
        return RecordCopier.Copy(
            source: "old",
            target: target,
            keysPartitionedBy: count,
            lane: .output,
            ranges: ends.reduce(into: [:]) { $0[$1.key] = (starts[$1.key.partition] ?? 0)..<$1.value }
        )
    }

    private var copier: RecordCopier { RecordCopier(settings: settings) { _ in } }

    @Test("every record goes to the partition of its key as it is, those of a key in their order", arguments: [5, 1])
    func everything(partitions: Int32) throws {
        let records: [Record] = (0..<600).map { (number: Int) -> Record in
            let value: String? = number % 11 == 0 ? nil : "value-\(number)"
            var record = Record(key: "key-\(number * 7 % 40)", value: value, timestamp: Int64(1_000 + number))
            if number % 3 == 0 { record.headers = [Header(name: "h", value: [UInt8(number % 256)])] }
            return record
        }
        try write(records)
        let target = partitions == 5 ? "new" : "fewer"
        let counts = try copier.run([try copy(to: target)], partitions: partitions)
        #expect(counts == [target: 600])
        let found = try read(target, partitions)
        for (partition, copied) in found {
            #expect(copied.allSatisfy { self.partition($0.key, of: partitions) == partition })
        }
        for key in Set(records.map(\.key)) {
            let copied = found[partition(key, of: partitions)]?.filter { $0.key == key }
            #expect(copied == records.filter { $0.key == key })
        }
    }

    @Test("only what was asked for is copied: what is folded already would come again")
    func range() throws {
        try write((0..<30).map { Record(key: "key-\($0)", value: "v", timestamp: 1) })
        var wanted = try copy(to: "new", from: [0: 2, 1: 1])
        let total = wanted.ranges.values.reduce(0) { $0 + $1.count }
        #expect(total == 27)
        wanted.keysPartitionedBy = nil
        try write([Record(key: "later", value: "v", timestamp: 1)])
        #expect(try copier.run([wanted], partitions: 5) == ["new": 27])
        #expect(try read("new", 5).values.joined().allSatisfy { $0.key != "later" })
    }

    @Test(
        "keys that are not where the old partition count puts them are refused: nobody knows which of two states is the newer"
    )
    func foreignKeys() throws {
        try write([Record(key: "a", value: "v", timestamp: 1)]) { key in (partition(key, of: 3) + 1) % 3 }
        let wanted = try copy(to: "new")
        let error = try #require(throws: StreamError.self) { try copier.run([wanted], partitions: 5) }
        #expect("\(error)".contains("a key at offset 0 that murmur2 puts elsewhere among 3 partitions"))
        #expect(try copier.run([try copy(to: "new", keysPartitionedBy: nil)], partitions: 5) == ["new": 1])
    }

    @Test("where nothing can be known of workers nothing is done")
    func unknownMembers() throws {
        var new = settings
        new.applicationID = "new-app"
        let topology = Topology(sources: [], topics: [])
        let repartition = ApplicationRepartition(
            settings: settings,
            topology: topology,
            newSettings: new,
            newTopology: topology,
            partitions: 5
        )
        for attempt in [{ _ = try repartition.plan() }, { _ = try repartition.run { _, _, _ in } }] {
            let error = try #require(throws: StreamError.self) { try attempt() }
            #expect("\(error)".contains("cannot tell whether a worker runs"))
        }
    }

    @Test("a worker whose topics are not complete says so; any other commit is nothing to it")
    func mark() throws {
        let partition = TopicPartition(topic: "new", partition: 0)
        let consumer = try Consumer(["bootstrap.servers": broker.bootstrapServers, "group.id": "app"])
        defer { consumer.close() }
        for (metadata, isMark) in [("", false), ("another tool's", false), (ApplicationRepartition.mark, true)] {
            try consumer.commit([partition: 0], metadata: metadata)
            let commits = try consumer.commits(of: [partition], timeout: .seconds(30))
            #expect(commits[partition]?.metadata == metadata)
            do {
                try commits.checkComplete("app")
                #expect(!isMark)
            } catch {
                #expect(isMark && "\(error)".hasPrefix("app is not complete: payload-tracker repartition"))
            }
        }
        try consumer.commit([partition: 3])
        #expect(try consumer.commits(of: [partition], timeout: .seconds(30))[partition]?.metadata == "")
        #expect(try consumer.committed([partition], timeout: .seconds(30)) == [partition: 3])
    }
}
