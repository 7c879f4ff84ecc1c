import RocksStore
import Synchronization

/// The stores that this process keeps for tasks of other instances, and what others may know of them. Thread-safe.
public final class StandbyDirectory: Sendable {
    /// How far a standby is.
    public struct Progress: Sendable {
        /// The next offset of the changelog that the store does not hold.
        public var position: Int64
        /// Offsets that the store lacks of the changelog as its last fetch saw it; those of open transactions and of markers count.
        public var lag: Int64
        /// It has once been at the changelog's end; before that it is not read.
        public var isComplete: Bool
    }

    private let standbys = Mutex<[TaskID: (progress: Progress, store: Database)]>([:])

    init() {}

    /// What a standby holds of a partition, as it was committed `lag` offsets ago; nil: it does not stand by for it, or holds too little.
    public func store(topic: String, partition: Int32) -> (store: Database, lag: Int64)? {
        standbys.withLock { standbys in
            guard let standby = standbys[TaskID(topic: topic, partition: partition)], standby.progress.isComplete
            else { return nil }
            return (standby.store, standby.progress.lag)
        }
    }

    /// How far the standbys of a source's tasks are, by partition, and their stores.
    public func standbys(topic: String) -> [Int32: (progress: Progress, store: Database)] {
        standbys.withLock { standbys in
            var found: [Int32: (progress: Progress, store: Database)] = [:]
            for (id, standby) in standbys where id.topic == topic { found[id.partition] = standby }
            return found
        }
    }

    func update(_ id: TaskID, _ progress: Progress, store: Database) {
        standbys.withLock { $0[id] = (progress, store) }
    }

    func remove(_ id: TaskID) { standbys.withLock { $0[id] = nil } }
}
