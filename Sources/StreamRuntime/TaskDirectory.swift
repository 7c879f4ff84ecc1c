import KafkaClient
import RocksStore
import Synchronization

/// The tasks of the process and what others may know of them. Thread-safe.
public final class TaskDirectory: Sendable {
    public enum State: String, Sendable {
        case created, restoring, running
    }

    /// How far a task is.
    public struct Progress: Sendable {
        public var state: State
        /// The next offset it will process; nil before it is known.
        public var position: Int64?
        /// The end of its partition as its last fetch saw it.
        public var endOffset: Int64?
        /// Offsets of the changelog that its store does not have yet.
        public var restoreRemaining: Int64 = 0

        /// Offsets that it has not processed yet; nil before both are known, as while it restores for the first time.
        public var lag: Int64? {
            guard let position, let endOffset else { return nil }
            return max(endOffset - position, 0)
        }
    }

    private struct Entry {
        var progress: Progress
        var store: Database?
        /// The `StreamTask` it is about. After a lost assignment another thread may have the partition before the first one knows.
        var owner: ObjectIdentifier
    }

    private struct Tables {
        var tasks: [TaskID: Entry] = [:]
        var committed: [TopicPartition: Int64] = [:]
    }

    private let tables = Mutex(Tables())
    private let onRemoval: @Sendable () -> Void

    /// - Parameter onRemoval: called when a partition has left this process, on the thread that had it, which it must not block.
    init(onRemoval: @escaping @Sendable () -> Void = {}) { self.onRemoval = onRemoval }

    /// The store of a running task: what it holds is committed. Nil with the task's state where it does not run; both nil: it is not here.
    public func store(topic: String, partition: Int32) -> (store: Database?, state: State?) {
        tables.withLock { tables in
            let entry = tables.tasks[TaskID(topic: topic, partition: partition)]
            return (entry?.store, entry?.progress.state)
        }
    }

    /// The stores of all running tasks of a source.
    public func stores(topic: String) -> [Int32: Database] {
        tables.withLock { tables in
            var stores: [Int32: Database] = [:]
            for (id, entry) in tables.tasks where id.topic == topic { stores[id.partition] = entry.store }
            return stores
        }
    }

    /// Tasks that are assigned and do not run yet.
    public var waiting: [TaskID] {
        tables.withLock { $0.tasks.filter { $0.value.progress.state != .running }.map(\.key) }
    }

    /// The task is the partition's from now on, whoever had it.
    func assigned(_ task: StreamTask) {
        let entry = Entry(progress: Progress(state: .created), store: nil, owner: ObjectIdentifier(task))
        tables.withLock { $0.tasks[task.id] = entry }
    }

    /// The store of a task that does not run yet is not shown.
    func update(_ task: StreamTask, state: State) {
        let store = state == .running ? task.store?.database : nil
        let entry = Entry(progress: Progress(state: state), store: store, owner: ObjectIdentifier(task))
        tables.withLock { tables in
            if tables.tasks[task.id]?.owner == entry.owner { tables.tasks[task.id] = entry }
        }
    }

    /// How far the tasks of a source are, by partition.
    public func progress(topic: String) -> [Int32: Progress] {
        tables.withLock { tables in
            var found: [Int32: Progress] = [:]
            for (id, entry) in tables.tasks where id.topic == topic { found[id.partition] = entry.progress }
            return found
        }
    }

    func update(_ task: StreamTask, position: Int64?, endOffset: Int64?, restoreRemaining: Int64) {
        tables.withLock { tables in
            guard let entry = tables.tasks[task.id], entry.owner == ObjectIdentifier(task) else { return }
            tables.tasks[task.id]?.progress = Progress(
                state: entry.progress.state,
                position: position,
                endOffset: endOffset,
                restoreRemaining: restoreRemaining
            )
        }
    }

    func remove(_ task: StreamTask) {
        let hasLeft = tables.withLock { tables in
            guard tables.tasks[task.id]?.owner == ObjectIdentifier(task) else { return false }
            tables.tasks[task.id] = nil
            // Another member moves it on from here.
            tables.committed[task.id.topicPartition] = nil
            return true
        }
        if hasLeft { onRemoval() }
    }

    func committed(_ offsets: [TopicPartition: Int64]) {
        tables.withLock { $0.committed.merge(offsets) { $1 } }
    }

    /// What tasks of this process have committed, of those that have.
    func committedOffsets(_ partitions: [TopicPartition]) -> [TopicPartition: Int64] {
        tables.withLock { tables in
            var offsets: [TopicPartition: Int64] = [:]
            for partition in partitions { offsets[partition] = tables.committed[partition] }
            return offsets
        }
    }

    /// What tasks of this process have committed of a topic.
    func committedOffsets(topic: String) -> [TopicPartition: Int64] {
        tables.withLock { $0.committed.filter { $0.key.topic == topic } }
    }
}
