import Foundation
import KafkaClient
import Logging
import RocksStore
import Synchronization
import Testing

@testable import KafkaClient
@testable import StreamRuntime

/// A standby that falls behind or never lets go would make a takeover slow, or leave two writers with one store.
@Suite(.timeLimit(.minutes(3))) struct StandbyThreadTests {
    private static let own = StreamInstance(name: "own", server: "http://own:8080")
    private static let other = StreamInstance(name: "other", server: "http://other:8080")
    private static let id = TaskID(topic: "payloads", partition: 0)
    private static let values = ColumnFamily("values")
    private static let state = Topology.State(
        changelog: "changelog",
        columnFamilies: [values],
        formatVersion: 1,
        changelogReader: CopyingReader()
    )
    private static let source = Topology.Source(topic: id.topic, state: state) { _ throws(StreamError) in
        throw .incompatible("nothing is processed here")
    }

    /// The part of an application that stands by, beside a changelog that the test writes.
    private final class Bench: Sendable {
        let application: ApplicationState
        let ownership: PartitionOwnership
        private let broker: EmbeddedBroker
        private let stop = StopSignal()
        private let owner = Owner()
        private let path = FileManager.default.temporaryDirectory.appending(path: "standby-\(UUID().uuidString)").path

        init() throws {
            broker = try EmbeddedBroker(topics: [("payloads", 2), ("changelog", 2)])
            var settings = StreamSettings(
                applicationID: "app",
                client: ["bootstrap.servers": broker.bootstrapServers],
                stateDirectory: path
            )
            settings.standbyReplicas = 1
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            ownership = PartitionOwnership(gap: .milliseconds(1), logger: logger) { [owner] () throws(KafkaError) in
                let owner = owner.instance.withLock { $0 }
                let rest = owner == StandbyThreadTests.own ? StandbyThreadTests.other : StandbyThreadTests.own
                return .group(.stable, [(owner, [("payloads", 0), ("payloads", 1)]), (rest, [])])
            }
            ownership.started(as: StandbyThreadTests.own)
            application = ApplicationState(
                settings: settings,
                topology: Topology(sources: [StandbyThreadTests.source], topics: []),
                catalog: TopicCatalog(entries: [
                    "payloads": .init(partitionCount: 2), "changelog": .init(partitionCount: 2),
                ]),
                tasks: TaskDirectory(),
                standbys: StandbyDirectory(),
                health: StreamHealth(),
                clock: .system,
                logger: logger,
                stop: stop,
                directory: try StateDirectory(path: path, patience: 0),
                ownership: ownership
            )
        }

        deinit {
            broker.close()
            try? FileManager.default.removeItem(atPath: path)
        }

        /// Runs the standby thread while `body` does.
        func run(while body: () async throws -> Void) async throws {
            _ = await ownership.refreshed(after: 0, isPatient: true)
            let running = Task { [application] in await onOwnThread("standby") { StandbyThread(application).run() } }
            do { try await body() } catch {
                stop.request()
                throw error
            }
            stop.request()
            await running.value
            application.stores.closeAll()
        }

        func move(to instance: StreamInstance) async {
            owner.instance.withLock { $0 = instance }
            _ = await ownership.refreshed(after: ownership.map.version, isPatient: true)
        }

        /// - Parameter hasKeys: false as no worker would log it.
        func log(_ range: Range<Int>, value: String = "logged", partition: Int32 = 0, hasKeys: Bool = true) throws {
            let producer = try Producer(["bootstrap.servers": broker.bootstrapServers])
            let topic = try producer.topic("changelog")
            for number in range {
                try Array("key-\(number)".utf8).withUnsafeBytes { key in
                    try Array(value.utf8).withUnsafeBytes {
                        try producer.produce(to: topic, partition: partition, key: hasKeys ? key : nil, value: $0)
                    }
                }
            }
            try producer.flush(timeout: .seconds(20))
            producer.close()
        }

        /// What the standby's store has under a key; nil while it is not read.
        func value(_ number: Int, partition: Int32 = 0) -> String? {
            guard let store = application.standbys.store(topic: id.topic, partition: partition)?.store else {
                return nil
            }
            let value = try? store.value(values, forKey: Array("key-\(number)".utf8))
            return value.map { String(decoding: $0, as: UTF8.self) }
        }

        var lag: Int64? { lag(partition: 0) }

        func lag(partition: Int32) -> Int64? { application.standbys.store(topic: id.topic, partition: partition)?.lag }
    }

    private final class Owner: Sendable {
        let instance = Mutex(StandbyThreadTests.other)
    }

    private func eventually(_ what: Comment, _ condition: () throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while ContinuousClock.now < deadline {
            if try condition() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record(what)
    }

    @Test func aStandbyFollowsTheChangelog() async throws {
        let bench = try Bench()
        try bench.log(0..<500)
        try await bench.run {
            try await eventually("it has what was there") { bench.value(499) == "logged" && bench.lag == 0 }
            try bench.log(0..<600, value: "again")
            try await eventually("it has what came") { bench.value(0) == "again" && bench.value(599) == "again" }
            try await eventually("it lacks nothing") { bench.lag == 0 }
        }
    }

    @Test func aStoreGoesToTheTaskAndBackWithoutBeingReadAnew() async throws {
        let bench = try Bench()
        try bench.log(0..<500)
        let application = bench.application
        try await bench.run {
            try await eventually("it stands by") { bench.lag == 0 && bench.value(499) != nil }
            let standby = try #require(application.standbys.store(topic: Self.id.topic, partition: 0)?.store)

            let task = StreamTask(id: Self.id, source: Self.source)
            application.tasks.assigned(task)
            let handed = try application.stores.acquire(task, state: Self.state, partitionCount: 2, within: 0...500) {
                500
            }
            #expect(handed.store.database === standby && handed.offset == 500)
            // Until the task runs, what the standby had is better than nothing.
            #expect(bench.value(499) == "logged")
            application.tasks.update(task, state: .running)
            try await eventually("nobody asks the standby any more") { bench.lag == nil }

            // What a standby would have written by now, if it still had the store.
            try bench.log(500..<600)
            application.tasks.remove(task)
            application.stores.release(task)
            try await eventually("it stands by again, and goes on") { bench.value(599) != nil && bench.lag == 0 }
            #expect(application.standbys.store(topic: Self.id.topic, partition: 0)?.store === standby)
        }
    }

    @Test func aChangelogThatCannotBeReadHoldsUpNoOther() async throws {
        let bench = try Bench()
        try bench.log(0..<10)
        try bench.log(0..<10, partition: 1)
        try await bench.run {
            try await eventually("it stands by for both") { bench.lag == 0 && bench.lag(partition: 1) == 0 }
            try bench.log(10..<11, partition: 1, hasKeys: false)
            try await eventually("it lets go of the one") { bench.lag(partition: 1) == nil }
            #expect(bench.lag != nil)
            try bench.log(10..<20)
            try await eventually("it follows the other") { bench.value(19) == "logged" }
            #expect(bench.lag(partition: 1) == nil)
        }
    }

    @Test func aPartitionThatComesHereOrGoesToAnotherStandbyIsLetGo() async throws {
        let bench = try Bench()
        try bench.log(0..<10)
        try await bench.run {
            try await eventually("it stands by") { bench.lag == 0 }
            await bench.move(to: Self.own)
            try await eventually("it lets go") { bench.lag == nil }
            await bench.move(to: Self.other)
            try await eventually("it stands by again") { bench.lag == 0 && bench.value(9) != nil }
        }
    }
}

/// Keeps changelog records as they are. A store that was empty is complete after a second part, as one of payloads is.
struct CopyingReader: ChangelogReader {
    func isUnfinished(_ store: Database) -> Bool { false }

    func makeRestoration(of store: Database, isEmpty: Bool) -> any Restoration { Copying(parts: isEmpty ? 3 : 0) }

    func differences(of store: Database, from rebuilt: Database) -> [String] { [] }
}

private final class Copying: Restoration {
    private let values = ColumnFamily("values")
    private var parts: Int
    private var isCompleting = false
    let heldBytes = 0

    init(parts: Int) { self.parts = parts }

    func restore(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?, into batch: WriteBatch)
        throws(StreamError)
    {
        if isCompleting { Issue.record("a record comes between the parts") }
        do throws(StoreError) {
            if let value { try batch.put(values, key: key, value: value) } else { try batch.delete(values, key: key) }
        } catch {
            throw .store(error)
        }
    }

    func finish(_ batch: WriteBatch) -> Bool { false }

    func complete(into batch: WriteBatch) -> Bool {
        isCompleting = true
        parts -= 1
        return parts <= 0
    }

    func completed() {}
}
