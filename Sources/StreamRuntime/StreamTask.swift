import KafkaClient
import Metrics
import RocksStore

/// One partition of a source at work on a stream thread, or its store on the standby thread. Named as in Kafka Streams, whose tasks have
/// the same states.
final class StreamTask {
    enum State: String {
        /// Assigned; its store is not open yet.
        case created
        /// Its store catches up with the changelog.
        case restoring
        case running
    }

    let id: TaskID
    let source: Topology.Source
    /// It follows the changelog, and no more: it processes nothing and fires no timers.
    let isStandby: Bool
    /// Distinguishes the changelog records of a running task in delivery reports; 0 before it runs.
    var opaque: UInt = 0
    var state = State.created
    var processor: (any Processor)?
    var store: StateStore?
    var batch: WriteBatch?
    var catchUp: CatchUp?
    /// The next offset to process: nil before the first record or the partition's end was seen.
    var position: Int64?
    /// The record at the position has come since the task started, or the partition's end: what comes next comes in order.
    var hasReachedPosition = false
    /// All that could be read of the partition was read.
    var isAtEnd = false
    /// When it was last looked whether records are fetched in time.
    var positionAtFetchLook: Int64?
    /// The group's committed offset.
    var committed: Int64?
    /// Records of its topic, as Kafka Streams' `process-total`.
    let processed: Counter
    /// Records that `processed` does not know of yet.
    var unpublishedCount = 0
    /// The changelog offset that the store stands for.
    var changelogOffset: Int64 = 0
    /// Monotonic seconds before which opening it is not tried again.
    var retryAt = 0.0
    /// In a row.
    var openFailures = 0

    init(id: TaskID, source: Topology.Source, isStandby: Bool = false) {
        self.id = id
        self.source = source
        self.isStandby = isStandby
        processed = Counter(label: "payload_tracker_processed_records", dimensions: [("topic", id.topic)])
    }

    /// Tells `processed` what it does not know of yet.
    func publishCount() {
        if unpublishedCount == 0 { return }
        processed.increment(by: unpublishedCount)
        unpublishedCount = 0
    }

    /// The partition of the changelog that holds its state; nil: it keeps none.
    var changelog: TopicPartition? {
        source.state.map { TopicPartition(topic: $0.changelog, partition: id.partition) }
    }
}
