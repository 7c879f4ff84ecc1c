import Foundation
import KafkaClient
import RocksStore
import Synchronization

/// The open stores of the process. A store stays open for a while after its task left, because a partition often comes straight back,
/// to the same stream thread or to another.
final class StorePool: Sendable {
    private struct Entry {
        var store: StateStore
        /// Monotonic seconds; nil while a task uses the store.
        var releasedAt: Double?
    }

    private let entries = Mutex<[TaskID: Entry]>([:])
    private let directory: String
    private let application: String
    private let memory: StoreMemory
    private let gracePeriod: Double

    init(_ settings: StreamSettings) {
        directory = settings.stateDirectory + "/" + settings.applicationID
        application = settings.applicationID
        memory = StoreMemory(blockCacheBytes: settings.blockCacheBytes, writeBufferBytes: settings.writeBufferBytes)
        gracePeriod = settings.storeGracePeriod / .seconds(1)
    }

    private func path(_ task: TaskID) -> String { "\(directory)/\(task)" }

    /// The task's store, opened where it is not.
    func acquire(_ task: TaskID, state: Topology.State, partitionCount: Int32) throws(StreamError) -> StateStore {
        let open = entries.withLock { entries -> StateStore? in
            entries[task]?.releasedAt = nil
            return entries[task]?.store
        }
        if let open { return open }
        let identity = StateStore.Identity(
            application: application,
            formatVersion: state.formatVersion,
            partition: TopicPartition(topic: state.changelog, partition: task.partition),
            partitionCount: partitionCount
        )
        let store = try whenUnlocked { () throws(StreamError) in
            try StateStore(path: path(task), state: state, identity: identity, memory: memory)
        }
        entries.withLock { $0[task] = Entry(store: store) }
        return store
    }

    /// A store that was left may still be closing.
    private func whenUnlocked(_ body: () throws(StreamError) -> StateStore) throws(StreamError) -> StateStore {
        let deadline = monotonicSeconds() + 5
        while true {
            do {
                return try body()
            } catch {
                guard case .store(let reason) = error, reason.kind == .locked, monotonicSeconds() < deadline else {
                    throw error
                }
                Thread.sleep(forTimeInterval: 0.05)
            }
        }
    }

    func release(_ task: TaskID) {
        entries.withLock { $0[task]?.releasedAt = monotonicSeconds() }
    }

    /// Closes the store and deletes it from disk, for one that no longer fits its changelog.
    func destroy(_ task: TaskID) throws(StreamError) {
        let store = entries.withLock { $0.removeValue(forKey: task)?.store }
        store?.database.close(waitingForReaders: .seconds(10))
        try withStore { () throws(StoreError) in try Database.destroy(path: path(task)) }
    }

    /// Closes stores whose tasks left long ago.
    func closeIdle() { close { $0.map { monotonicSeconds() - $0 > gracePeriod } ?? false } }

    func closeAll() { close { _ in true } }

    private func close(where isDue: (Double?) -> Bool) {
        let closing = entries.withLock { entries -> [StateStore] in
            let due = entries.filter { isDue($0.value.releasedAt) }
            for id in due.keys { entries[id] = nil }
            return due.values.map(\.store)
        }
        for store in closing { store.database.close(waitingForReaders: .seconds(1)) }
    }
}

/// Seconds on a clock that never jumps.
func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
