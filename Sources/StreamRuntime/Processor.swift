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

/// Fills stores from their changelog, and compares the two.
public protocol ChangelogReader: Sendable {
    /// Whether a restoration of the store was interrupted after its records, so that it is not complete although it may have them all.
    func isUnfinished(_ store: Database) throws(StreamError) -> Bool

    /// Begins to fill a store that nobody else writes meanwhile.
    ///
    /// - Parameter isEmpty: the store is new; otherwise it is behind its changelog.
    func makeRestoration(of store: Database, isEmpty: Bool) throws(StreamError) -> any Restoration

    /// How a store differs from one that holds the same changelog, a sentence for each difference, the first few; and what is wrong with
    /// the store by itself.
    func differences(of store: Database, from rebuilt: Database) throws(StreamError) -> [String]
}

/// The filling of one store. Belongs to one thread.
public protocol Restoration: AnyObject {
    /// Bytes of memory that it holds until `finish`, about.
    var heldBytes: Int { get }

    /// Takes a changelog record: puts what the store holds of it into the batch, or holds the record. Records come in the order of the
    /// changelog, several to a batch.
    ///
    /// - Parameter value: nil for a tombstone.
    func restore(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?, into batch: WriteBatch)
        throws(StreamError)

    /// The batch is about to be written with the changelog offset of all records so far: what is held has to go into it, or to become durable
    /// elsewhere. After a crash records may come again that came before, in the same order. The next record goes into another batch.
    ///
    /// - Returns: whether something is elsewhere now, so that the store is to be as durable.
    func finish(_ batch: WriteBatch) throws(StreamError) -> Bool

    /// All records are there: does a part of what the store needs besides, in a few milliseconds. The batch is empty and is written before the
    /// next call; with the changelog offset only after the last one.
    ///
    /// - Returns: whether that was all.
    func complete(into batch: WriteBatch) throws(StreamError) -> Bool

    /// The last batch is written.
    func completed() throws(StreamError)
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
