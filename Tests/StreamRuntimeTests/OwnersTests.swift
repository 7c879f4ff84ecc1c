import Foundation
import KafkaClient
import Logging
import RocksStore
import Synchronization
import Testing

@testable import StreamRuntime

/// Two stream threads of a process may both believe for a while that a partition is theirs. A user would get a 503 from the instance that
/// has the partition, or two threads would write one store.
@Suite struct OwnersTests {
    private static let state = Topology.State(
        changelog: "changelog",
        columnFamilies: [ColumnFamily("values")],
        formatVersion: 1,
        changelogReader: NoChangelog()
    )
    private let id = TaskID(topic: "payloads", partition: 0)
    private let path = FileManager.default.temporaryDirectory.appending(path: "owners-\(UUID().uuidString)").path

    private func task(isStandby: Bool = false) -> StreamTask {
        let source = Topology.Source(topic: id.topic, state: OwnersTests.state) { _ throws(StreamError) in
            throw .incompatible("nothing is processed here")
        }
        return StreamTask(id: id, source: source, isStandby: isStandby)
    }

    private func pool() throws -> StorePool {
        var settings = StreamSettings(applicationID: "app", client: [:], stateDirectory: path)
        settings.storeGracePeriod = .zero
        let directory = try StateDirectory(path: path, patience: 0)
        return StorePool(settings, directory: directory, logger: Logger(label: "test"))
    }

    @Test func aLateRevocationDoesNotHideTheTaskOfTheNewOwner() {
        let departures = Atomic(0)
        let directory = TaskDirectory { departures.add(1, ordering: .relaxed) }
        let (former, current) = (task(), task())
        directory.assigned(former)
        directory.assigned(current)
        directory.update(current, state: .running)

        directory.update(former, state: .created)
        directory.remove(former)
        #expect(directory.progress(topic: id.topic)[0]?.state == .running)
        #expect(departures.load(ordering: .relaxed) == 0)

        directory.remove(current)
        #expect(directory.progress(topic: id.topic).isEmpty)
        #expect(departures.load(ordering: .relaxed) == 1)
    }

    @Test func aStoreHasOneOwner() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let pool = try pool()
        let (former, current) = (task(), task())
        let store = try pool.acquire(former, state: OwnersTests.state, partitionCount: 1)

        let error = #expect(throws: StreamError.self) {
            try pool.acquire(current, state: OwnersTests.state, partitionCount: 1)
        }
        guard case .kafka(let reason) = error, reason.kind == .retriable else {
            Issue.record("\(String(describing: error)) is not one to try again after")
            return
        }

        pool.release(former)
        #expect(try pool.acquire(current, state: OwnersTests.state, partitionCount: 1) === store)
        // The former owner's release comes late, and says nothing of the store as it is now.
        pool.release(former)
        pool.closeIdle()
        #expect(try store.changelogOffset() == 0)
        pool.closeAll()
    }

    /// Payloads that were removed while it lay unused would come back with it, and their outcomes would be told again.
    @Test(arguments: [(19.0, 7), (21.0, 0)])
    func aStoreThatMayHaveMissedTombstonesIsBegunAnew(hours: Double, offset: Int64) throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let pool = try pool()
        let task = task()
        let store = try pool.acquire(task, state: OwnersTests.state, partitionCount: 1)
        try store.write(
            WriteBatch(store.database),
            changelogOffset: 7,
            isTransaction: true,
            at: Date(timeIntervalSinceNow: -hours * 3_600)
        )
        // One that lacks nothing, or nothing but a transaction's marker, has missed nothing.
        for end: Int64 in [7, 8] {
            let kept = try pool.acquire(task, state: OwnersTests.state, partitionCount: 1, within: 0...end) { end }
            #expect(kept.offset == 7)
        }
        #expect(
            try pool.acquire(task, state: OwnersTests.state, partitionCount: 1, within: 0...9) { 9 }.offset == offset
        )
        pool.closeAll()
    }

    @Test func aStandbyTakesNoStoreThatATaskUses() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let pool = try pool()
        let (running, standby) = (task(), task(isStandby: true))
        let store = try pool.acquire(running, state: OwnersTests.state, partitionCount: 1)
        let error = #expect(throws: StreamError.self) {
            try pool.acquire(standby, state: OwnersTests.state, partitionCount: 1)
        }
        guard case .kafka(let reason) = error, reason.kind == .retriable else {
            Issue.record("\(String(describing: error)) is not one to try again after")
            return
        }
        pool.release(running)
        #expect(try pool.acquire(standby, state: OwnersTests.state, partitionCount: 1) === store)
        pool.closeAll()
    }

    @Test func aStoreThatLacksOnlyTheMarkerOfItsOwnTransactionIsComplete() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let pool = try pool()
        let store = try pool.acquire(task(), state: OwnersTests.state, partitionCount: 1)
        let batch = WriteBatch(store.database)
        try store.write(batch, changelogOffset: 7)
        #expect(try store.changelogOffset() == 7)
        #expect(try !store.lacksOnlyMarker(before: 8))

        try store.write(batch, changelogOffset: 7, isTransaction: true)
        #expect(try store.changelogOffset() == 7)
        #expect(try store.lacksOnlyMarker(before: 8))
        #expect(try !store.lacksOnlyMarker(before: 9))

        // With nothing logged, nothing is known anew of the changelog.
        try store.write(batch)
        #expect(try store.lacksOnlyMarker(before: 8))
        pool.closeAll()
    }
}

private struct NoChangelog: ChangelogReader {
    func isUnfinished(_ store: Database) -> Bool { false }

    func makeRestoration(of store: Database, isEmpty: Bool) throws(StreamError) -> any Restoration {
        throw .incompatible("nothing is restored here")
    }

    func differences(of store: Database, from rebuilt: Database) -> [String] { [] }
}
