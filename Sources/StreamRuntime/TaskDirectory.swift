import KafkaClient
import RocksStore
import Synchronization

/// The tasks of the process and what others may know of them. Thread-safe.
public final class TaskDirectory: Sendable {
    public enum State: String, Sendable {
        case created, restoring, running
    }

    private struct Entry {
        var state: State
        var store: Database?
    }

    private struct Tables {
        var tasks: [TaskID: Entry] = [:]
        var committed: [TopicPartition: Int64] = [:]
    }

    private let tables = Mutex(Tables())

    init() {}

    /// The store of a running task: what it holds is committed. Nil with the task's state where it does not run; both nil: it is not here.
    public func store(topic: String, partition: Int32) -> (store: Database?, state: State?) {
        tables.withLock { tables in
            let entry = tables.tasks[TaskID(topic: topic, partition: partition)]
            return (entry?.store, entry?.state)
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
        tables.withLock { $0.tasks.filter { $0.value.state != .running }.map(\.key) }
    }

    func update(_ id: TaskID, state: State, store: Database?) {
        tables.withLock { $0.tasks[id] = Entry(state: state, store: store) }
    }

    func remove(_ id: TaskID) {
        tables.withLock { tables in
            tables.tasks[id] = nil
            // Another member moves it on from here.
            tables.committed[id.topicPartition] = nil
        }
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
