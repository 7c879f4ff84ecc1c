import Foundation
import KafkaClient
import RocksStore

/// What a task does with its records. One instance a task, always called on its stream thread.
public protocol Processor: AnyObject {
    /// Takes the next record of the partition.
    func process(_ record: borrowing ConsumedRecord) throws(StreamError)

    /// Called every now and then while the task runs, with no record: Kafka Streams' wall-clock punctuation.
    ///
    /// - Parameter isCaughtUp: everything that was there when the partition was assigned has been processed, upstream too.
    func punctuate(isCaughtUp: Bool) throws(StreamError)

    /// Bytes, roughly, that the processor holds back until the next commit.
    var uncommittedBytes: Int { get }

    /// A commit has begun: hands what changed since the last one to the changelog and to the store's batch.
    func writeState(_ writer: StateWriter) throws(StreamError)

    /// What `writeState` handed over is committed, and in the store.
    func stateCommitted()
}

extension Processor {
    public func punctuate(isCaughtUp: Bool) {}
    public var uncommittedBytes: Int { 0 }
    public func writeState(_ writer: StateWriter) {}
    public func stateCommitted() {}
}

/// Turns a changelog record into what the store holds of it.
public protocol ChangelogReader: Sendable {
    /// `value` is nil for a tombstone.
    func restore(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?, into batch: WriteBatch)
        throws(StreamError)
}

/// Where a processor leaves its changed state at a commit: each change goes to the changelog and to the store, or to neither.
public struct StateWriter {
    /// Written to the store after the commit, in one step with the changelog offset it stands for.
    public let batch: WriteBatch
    let changelog: OutputTopic
    let collector: RecordCollector
    let partition: Int32
    let opaque: UInt

    /// Appends a record to the task's changelog partition; nil: a tombstone.
    public func log(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?) throws(StreamError) {
        try collector.send(to: changelog, partition: partition, key: key, value: value, opaque: opaque)
    }
}

/// What a processor may use of its task. Belongs to the task's stream thread.
public final class ProcessorContext {
    public let id: TaskID
    /// The task's store; nil where the source keeps no state.
    public let store: Database?
    public let topics: TopicCatalog
    public let clock: WallClock
    /// The task's share of the process's cache.
    public let cacheBytes: Int
    private let collector: RecordCollector

    init(
        id: TaskID,
        store: Database?,
        topics: TopicCatalog,
        clock: WallClock,
        cacheBytes: Int,
        collector: RecordCollector
    ) {
        self.id = id
        self.store = store
        self.topics = topics
        self.clock = clock
        self.cacheBytes = cacheBytes
        self.collector = collector
    }

    /// A topic to write to, to be asked for once.
    public func output(_ topic: String, lane: OutputTopic.Lane) throws(StreamError) -> OutputTopic {
        try collector.topic(topic, lane: lane)
    }

    /// Writes a record, delivered at the latest by the next commit. Waits while the producer's queue is full.
    ///
    /// - Parameters:
    ///   - partition: nil: by the key, as Java's default partitioner.
    ///   - timestamp: milliseconds since 1970; 0: now.
    public func send(
        to topic: OutputTopic,
        partition: Int32? = nil,
        key: UnsafeRawBufferPointer?,
        value: UnsafeRawBufferPointer?,
        timestamp: Int64 = 0,
        headers: borrowing RecordHeaders = .none
    ) throws(StreamError) {
        try collector.send(
            to: topic,
            partition: partition,
            key: key,
            value: value,
            timestamp: timestamp,
            headers: headers,
            opaque: 0
        )
    }
}

/// The wall clock, in microseconds since 1970.
public struct WallClock: Sendable {
    private let read: @Sendable () -> Int64

    public init(_ read: @escaping @Sendable () -> Int64) { self.read = read }

    public func now() -> Int64 { read() }

    public static let system = WallClock {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }
}
