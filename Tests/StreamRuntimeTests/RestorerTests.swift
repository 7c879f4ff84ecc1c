import Foundation
import Logging
import RocksStore
import Testing

@testable import KafkaClient
@testable import StreamRuntime

/// What a restoration holds in memory must stay bounded, and no offset may be written before what it stands for.
@Suite(.timeLimit(.minutes(3))) struct RestorerTests {
    private static let id = TaskID(topic: "payloads", partition: 0)
    private static let values = ColumnFamily("values")
    private static let valueBytes = 2_000
    private static let records = 1_000
    private static let limit = 600_000

    /// Stores beside a changelog of two partitions.
    private final class Bench {
        let broker: EmbeddedBroker
        let reader = HoldingReader()
        private let path = FileManager.default.temporaryDirectory.appending(path: "restorer-\(UUID().uuidString)").path
        private let memory = StoreMemory(blockCacheBytes: 1 << 20, writeBufferBytes: 8 << 20)
        var stores: [Int32: StateStore] = [:]

        init() throws {
            broker = try EmbeddedBroker(topics: [("payloads", 2), ("changelog", 2)])
            let producer = try Producer(["bootstrap.servers": broker.bootstrapServers])
            let topic = try producer.topic("changelog")
            let value = [UInt8](repeating: 7, count: RestorerTests.valueBytes)
            for number in 0..<RestorerTests.records {
                for partition in Int32(0)..<2 {
                    try Array("key-\(number)".utf8).withUnsafeBytes { key in
                        try value.withUnsafeBytes {
                            try producer.produce(to: topic, partition: partition, key: key, value: $0)
                        }
                    }
                }
            }
            try producer.flush(timeout: .seconds(20))
            producer.close()
            for partition in Int32(0)..<2 {
                stores[partition] = try StateStore(
                    path: "\(path)/\(partition)",
                    state: state,
                    identity: StateStore.Identity(
                        application: "app",
                        formatVersion: 1,
                        partition: TopicPartition(topic: "changelog", partition: partition),
                        partitionCount: 2
                    ),
                    memory: memory
                )
            }
        }

        deinit {
            for store in stores.values { store.database.close() }
            broker.close()
            try? FileManager.default.removeItem(atPath: path)
        }

        private var state: Topology.State {
            Topology.State(
                changelog: "changelog",
                columnFamilies: [RestorerTests.values],
                formatVersion: 1,
                changelogReader: reader
            )
        }

        func makeRestorer() -> Restorer {
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let settings = StreamSettings(
                applicationID: "app",
                client: ["bootstrap.servers": broker.bootstrapServers],
                stateDirectory: path
            )
            return Restorer(
                settings.readerConfiguration(isolation: "read_committed"),
                events: ClientEvents(),
                catalog: TopicCatalog(),
                logger: logger,
                maxUnwrittenBytes: RestorerTests.limit
            )
        }

        func add(_ partition: Int32, to restorer: Restorer) throws -> StreamTask {
            let source = Topology.Source(topic: "payloads", state: state) { _ throws(StreamError) in
                throw .incompatible("nothing is processed here")
            }
            let task = StreamTask(id: TaskID(topic: "payloads", partition: partition), source: source)
            let store = try #require(stores[partition])
            let range = Restorer.ChangelogRange(
                partition: TopicPartition(topic: "changelog", partition: partition),
                start: try store.changelogOffset(),
                end: Int64(RestorerTests.records)
            )
            try restorer.add(task, state, store: store, range)
            return task
        }

        func count(_ partition: Int32) throws -> Int {
            var count = 0
            guard var iterator = try stores[partition]?.database.makeIterator(RestorerTests.values) else { return 0 }
            var isValid = try iterator.seekToFirst()
            while isValid {
                count += 1
                isValid = try iterator.next()
            }
            return count
        }
    }

    @Test func whatIsHeldIsBoundedAndItsOffsetComesAfterIt() throws {
        let bench = try Bench()
        let restorer = bench.makeRestorer()
        defer { restorer.close() }
        _ = try bench.add(0, to: restorer)
        _ = try bench.add(1, to: restorer)
        var done = 0
        while done < 2 {
            done += try restorer.step().count
            for (partition, store) in bench.stores {
                #expect(Int(try store.changelogOffset()) <= (try bench.count(partition)))
            }
            let held = bench.reader.made.reduce(0) { $0 + $1.heldBytes }
            #expect(held <= Self.limit + 256 << 10 + 2 * Self.valueBytes)
        }
        #expect(bench.reader.made.reduce(0) { $0 + $1.finishes } > 4)
        for (partition, store) in bench.stores {
            #expect(try store.changelogOffset() == Int64(Self.records))
            #expect(try bench.count(partition) == Self.records)
        }
        #expect(bench.reader.made.allSatisfy { $0.isCompleted })
    }

    @Test func whoIsRemovedGoesOnWhereItsOffsetIs() throws {
        let bench = try Bench()
        let restorer = bench.makeRestorer()
        defer { restorer.close() }
        let first = try bench.add(0, to: restorer)
        let store = try #require(bench.stores[0])
        while try store.changelogOffset() == 0 { _ = try restorer.step() }
        restorer.remove(first)
        weak let removed = bench.reader.made.first
        bench.reader.made = []
        #expect(removed == nil, "its files are still open")
        let offset = try store.changelogOffset()
        _ = try bench.add(0, to: restorer)
        while try restorer.step().isEmpty {}
        #expect(bench.reader.made.first?.restored == Self.records - Int(offset))
        #expect(try bench.count(0) == Self.records)
    }
}

/// Makes restorations that hold all records until `finish`.
///
/// Unchecked: each test makes its own, and a restorer calls it on the thread that steps it, which is the test's.
private final class HoldingReader: ChangelogReader, @unchecked Sendable {
    var made: [Holding] = []

    func isUnfinished(_ store: Database) -> Bool { false }

    func makeRestoration(of store: Database, isEmpty: Bool) -> any Restoration {
        let restoration = Holding()
        made.append(restoration)
        return restoration
    }

    func differences(of store: Database, from rebuilt: Database) -> [String] { [] }
}

private final class Holding: Restoration {
    private var held: [(key: [UInt8], value: [UInt8])] = []
    private(set) var heldBytes = 0
    private(set) var restored = 0
    private(set) var finishes = 0
    private var parts = 4
    private(set) var isCompleted = false

    func restore(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?, into batch: WriteBatch) {
        if parts < 4 { Issue.record("a record comes between the parts") }
        held.append((Array(key), value.map { Array($0) } ?? []))
        heldBytes += key.count + (value?.count ?? 0)
        restored += 1
    }

    func finish(_ batch: WriteBatch) throws(StreamError) -> Bool {
        if parts < 4 && parts > 0 { Issue.record("it is made to write between the parts") }
        try withStore { () throws(StoreError) in
            for (key, value) in held { try batch.put(ColumnFamily("values"), key: key, value: value) }
        }
        held = []
        heldBytes = 0
        finishes += 1
        return false
    }

    func complete(into batch: WriteBatch) -> Bool {
        parts -= 1
        return parts <= 0
    }

    func completed() { isCompleted = true }
}
