import Foundation
import KafkaClient
import Logging
import RocksStore
import Synchronization

/// The open stores of the process. A store stays open for a while after its task left, because a partition often comes straight back,
/// to the same stream thread or to another.
final class StorePool: Sendable {
    private struct Entry {
        /// Nil while it is being opened.
        var store: StateStore?
        /// The `StreamTask` that uses it. After a lost assignment another thread may have the partition before the first one knows.
        var owner: ObjectIdentifier
        var isStandby: Bool
        /// Monotonic seconds; nil while a task uses the store.
        var releasedAt: Double?
    }

    private struct Table {
        var entries: [TaskID: Entry] = [:]
        /// What the stores had done that are closed, so that the sum over all never goes down.
        var closedStatistics = StoreStatistics.zero

        subscript(_ task: TaskID) -> Entry? {
            get { entries[task] }
            set { entries[task] = newValue }
        }

        /// Takes the store out; the caller closes it.
        mutating func remove(_ task: TaskID) -> StateStore? {
            defer { entries[task] = nil }
            return takeStore(of: task)
        }

        /// As `remove`, but nobody else can have the store until the entry is gone.
        mutating func takeStore(of task: TaskID) -> StateStore? {
            guard let store = entries[task]?.store else { return nil }
            entries[task]?.store = nil
            if let statistics = try? store.database.statistics() { closedStatistics = closedStatistics + statistics }
            return store
        }
    }

    private let entries = Mutex(Table())
    private let directory: StateDirectory
    private let application: String
    private let logger: Logger
    private let memory: StoreMemory
    private let gracePeriod: Double

    /// Seconds; it looks several times a second whether a stream thread wants what it has.
    private static let standbyPatience = 3.0

    /// Seconds. A compacted topic keeps tombstones for `delete.retention.ms`, a day by default: a store that lacks records which are older than
    /// that would keep what was removed meanwhile. With a margin for the time that a restore takes.
    private static let oldest = 20.0 * 3_600

    init(_ settings: StreamSettings, directory: StateDirectory, logger: Logger) {
        self.directory = directory
        self.logger = logger
        application = settings.applicationID
        memory = StoreMemory(blockCacheBytes: settings.blockCacheBytes, writeBufferBytes: settings.writeBufferBytes)
        gracePeriod = settings.storeGracePeriod / .seconds(1)
    }

    func path(_ task: TaskID) -> String { "\(directory.path)/\(task)" }

    /// What came of the wish to have a store.
    private enum Claim {
        case open(StateStore)
        /// It has to be opened, by the one who claimed it.
        case closed
        case inUse(byStandby: Bool)
    }

    /// The task's store, opened where it is not. One with damaged files or of another format is deleted and begun anew. Where the standby
    /// thread has it, this waits until it lets go.
    ///
    /// - Throws: a retriable error while another thread of the process, which has not yet heard that the partition is gone, uses it.
    func acquire(_ task: StreamTask, state: Topology.State, partitionCount: Int32) throws(StreamError) -> StateStore {
        let deadline = monotonicSeconds() + StorePool.standbyPatience
        while true {
            switch claim(task) {
            case .open(let store): return store
            case .closed:
                do throws(StreamError) {
                    let store = try open(task, state, partitionCount)
                    entries.withLock { $0[task.id]?.store = store }
                    return store
                } catch {
                    entries.withLock { $0[task.id] = nil }
                    throw error
                }
            case .inUse(let byStandby):
                guard byStandby, monotonicSeconds() < deadline else {
                    throw .kafka(KafkaError(.inProgress, "\(task.id): another thread has not let go of it yet"))
                }
                // Short beside what the standby thread takes to let go.
                Thread.sleep(forTimeInterval: 0.01)
            }
        }
    }

    /// The task's store with the changelog offset that it stands for. One that stands outside its changelog, or is behind it
    /// for so long that it may have missed tombstones, is deleted and begun anew.
    ///
    /// - Parameters:
    ///   - offsets: from the changelog's first record to its end as it was before this.
    ///   - currentEnd: asks for its end now.
    func acquire(
        _ task: StreamTask,
        state: Topology.State,
        partitionCount: Int32,
        within offsets: ClosedRange<Int64>,
        currentEnd: () throws(StreamError) -> Int64
    ) throws(StreamError) -> (store: StateStore, offset: Int64) {
        let store = try acquire(task, state: state, partitionCount: partitionCount)
        let offset: Int64
        do throws(StreamError) {
            offset = try store.changelogOffset()
        } catch {
            guard case .store(let reason) = error, reason.kind == .corruption else {
                close(task)
                throw error
            }
            logger.error("\(task.id): \(reason); rebuilding the store from the changelog")
            try destroy(task.id)
            return (try acquire(task, state: state, partitionCount: partitionCount), 0)
        }
        // A new store starts wherever the log does.
        if offset == 0 { return (store, offset) }
        if try mayHaveMissedTombstones(store, end: offsets.upperBound) {
            logger.warning(
                "\(task.id): its store has not been written for so long that the changelog may have lost tombstones since; rebuilding the store from the changelog"
            )
            try destroy(task.id)
            return (try acquire(task, state: state, partitionCount: partitionCount), 0)
        }
        if offset >= offsets.lowerBound {
            if offset <= offsets.upperBound { return (store, offset) }
            // A standby may have followed the log beyond what its end was a moment ago.
            let end = try currentEnd()
            if offset <= end { return (store, offset) }
        }
        logger.error(
            "\(task.id): its store stands at changelog offset \(offset), but the changelog goes from \(offsets.lowerBound) to \(offsets.upperBound); rebuilding the store from the changelog"
        )
        try destroy(task.id)
        return (try acquire(task, state: state, partitionCount: partitionCount), 0)
    }

    private func mayHaveMissedTombstones(_ store: StateStore, end: Int64) throws(StreamError) -> Bool {
        guard let writtenAt = try store.writtenAt(), -writtenAt.timeIntervalSinceNow > StorePool.oldest else {
            return false
        }
        let offset = try store.changelogOffset()
        if offset >= end { return false }
        return try !store.lacksOnlyMarker(before: end)
    }

    private func claim(_ task: StreamTask) -> Claim {
        let owner = ObjectIdentifier(task)
        return entries.withLock { entries in
            guard let entry = entries[task.id] else {
                entries[task.id] = Entry(store: nil, owner: owner, isStandby: task.isStandby)
                return .closed
            }
            // Nobody is made to wait for the standby thread by the standby thread.
            if entry.releasedAt == nil && entry.owner != owner {
                return .inUse(byStandby: entry.isStandby && !task.isStandby)
            }
            guard let store = entry.store else { return .inUse(byStandby: false) }
            entries[task.id] = Entry(store: store, owner: owner, isStandby: task.isStandby)
            return .open(store)
        }
    }

    private func open(_ task: StreamTask, _ state: Topology.State, _ partitionCount: Int32) throws(StreamError)
        -> StateStore
    {
        let identity = StateStore.Identity(
            application: application,
            formatVersion: state.formatVersion,
            partition: TopicPartition(topic: state.changelog, partition: task.id.partition),
            partitionCount: partitionCount
        )
        let path = path(task.id)
        return try whenUnlocked { () throws(StreamError) in
            do throws(StreamError) {
                return try StateStore(path: path, state: state, identity: identity, memory: memory)
            } catch {
                guard case .store(let reason) = error, [.corruption, .incompatible].contains(reason.kind) else {
                    throw error
                }
                logger.error("\(task.id): \(reason); rebuilding the store from the changelog")
                try directory.delete(path)
                return try StateStore(path: path, state: state, identity: identity, memory: memory)
            }
        }
    }

    /// A store that was left may still be closing.
    private func whenUnlocked(_ body: () throws(StreamError) -> StateStore) throws(StreamError) -> StateStore {
        // It flushes, which takes as long as the disk.
        let deadline = monotonicSeconds() + 15
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

    func release(_ task: StreamTask) {
        entries.withLock { entries in
            guard entries[task.id]?.owner == ObjectIdentifier(task) else { return }
            entries[task.id]?.releasedAt = monotonicSeconds()
        }
    }

    /// Closes the store of a task that cannot write it any more.
    func close(_ task: StreamTask) {
        let store = entries.withLock { entries -> StateStore? in
            guard entries[task.id]?.owner == ObjectIdentifier(task) else { return nil }
            return entries.remove(task.id)
        }
        store?.database.close(waitingForReaders: .seconds(1))
    }

    /// Closes the store and deletes it from disk, for one that no longer fits its changelog.
    func destroy(_ task: TaskID) throws(StreamError) {
        let store = entries.withLock { $0.takeStore(of: task) }
        // Whoever opened it before the files are gone would lose them.
        defer { entries.withLock { $0[task] = nil } }
        store?.database.close(waitingForReaders: .seconds(10))
        try directory.delete(path(task))
    }

    /// Reads RocksDB's own figures, which may wait for a lock of RocksDB's.
    var figures: StoreFigures {
        // The counters under the lock, which are quick: a store that closed meanwhile would be missed or count twice.
        let (statistics, stores) = entries.withLock { table in
            let stores = table.entries.values.compactMap(\.store)
            let statistics = stores.reduce(table.closedStatistics) { sum, store in
                (try? store.database.statistics()).map { sum + $0 } ?? sum
            }
            return (statistics, stores)
        }
        var figures = StoreFigures(openStores: stores.count, statistics: statistics, memoryUsedBytes: memory.usedBytes)
        for store in stores { figures.add(store.database) }
        return figures
    }

    /// Closes stores whose tasks left long ago.
    func closeIdle() { close { $0.map { monotonicSeconds() - $0 > gracePeriod } ?? false } }

    /// Makes durable what the open stores hold, so that a start after a crash has little to restore. One may be closed meanwhile.
    func flush(unless isStopping: () -> Bool) {
        let open = entries.withLock { $0.entries.compactMapValues(\.store) }
        for (task, store) in open where !isStopping() {
            do throws(StreamError) { try store.flush() } catch {
                logger.debug("\(task): cannot flush its store: \(error)")
            }
        }
    }

    func closeAll() { close { _ in true } }

    private func close(where isDue: (Double?) -> Bool) {
        let closing = entries.withLock { entries -> [StateStore] in
            let due = entries.entries.filter { isDue($0.value.releasedAt) }
            return due.keys.compactMap { entries.remove($0) }
        }
        // Each flushes, which takes as long as the disk.
        DispatchQueue.concurrentPerform(iterations: closing.count) {
            closing[$0].database.close(waitingForReaders: .seconds(1))
        }
    }
}

/// Seconds on a clock that never jumps.
func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
