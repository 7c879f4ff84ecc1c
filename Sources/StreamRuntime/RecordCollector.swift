import KafkaClient
import Logging

/// A topic that processors write to. Belongs to one stream thread.
public final class OutputTopic {
    /// Which producer carries the records.
    public enum Lane: Sendable {
        /// Records for the next sub-topology: a repeated one changes nothing there, so an idempotent producer is enough.
        case repartition
        /// What leaves the application, and its changelog: one transaction a commit when processing is exactly once.
        case output
    }

    public let name: String
    let lane: Lane
    fileprivate let topic: ProducerTopic

    fileprivate init(name: String, lane: Lane, topic: ProducerTopic) {
        self.name = name
        self.lane = lane
        self.topic = topic
    }
}

/// The producing side of a stream thread: sends, counts what is not yet acknowledged, learns the changelog's offsets.
final class RecordCollector: DeliveryListener {
    private let repartition: Producer
    private let output: Producer
    private let heartbeat: () -> Void
    private let shouldStop: () -> Bool
    private var topics: [String: OutputTopic] = [:]
    /// The first record since the last commit that was not delivered.
    private var failure: KafkaError?
    /// Next offset of a changelog partition, by the `opaque` its records were sent with.
    private(set) var changelogOffsets: [UInt: Int64] = [:]
    /// Whether anything was sent since the last commit.
    private(set) var hasSent = false

    /// - Parameters:
    ///   - heartbeat: called while waiting for the broker, which may take for ever.
    ///   - shouldStop: ends such a wait with `.stopped`.
    init(
        _ configuration: ClientConfiguration,
        events: ClientEvents,
        heartbeat: @escaping () -> Void,
        shouldStop: @escaping () -> Bool
    ) throws(StreamError) {
        // Nothing that was accepted may time out while a broker is away: no record expires (0 means for ever).
        let tuning: ClientConfiguration = ["queue.buffering.max.kbytes": "65536", "linger.ms": "5"]
        let lasting = tuning.merging(configuration)
            .merging(["message.timeout.ms": "0", "message.max.bytes": "\(64 << 20)"])
        let deliveries = Deliveries()
        repartition = try withKafka { () throws(KafkaError) in
            try Producer(lasting, events: events, delivery: deliveries)
        }
        output = try withKafka { () throws(KafkaError) in
            try Producer(lasting, events: events, delivery: deliveries)
        }
        self.heartbeat = heartbeat
        self.shouldStop = shouldStop
        deliveries.collector = self
    }

    /// The producers keep this, and it does not keep them: no cycle.
    private final class Deliveries: DeliveryListener {
        weak var collector: RecordCollector?
        func delivered(_ report: borrowing DeliveryReport) { collector?.delivered(report) }
    }

    func topic(_ name: String, lane: OutputTopic.Lane) throws(StreamError) -> OutputTopic {
        if let known = topics[name] { return known }
        let handle = try withKafka { () throws(KafkaError) in
            // A topic's limit is on the batch as it arrives. What is not compressed is refused exactly when it is too large.
            try producer(lane).topic(name, configuration: ["compression.codec": lane == .repartition ? "lz4" : "none"])
        }
        let topic = OutputTopic(name: name, lane: lane, topic: handle)
        topics[name] = topic
        return topic
    }

    private func producer(_ lane: OutputTopic.Lane) -> Producer { lane == .repartition ? repartition : output }

    func send(
        to topic: OutputTopic,
        partition: Int32?,
        key: UnsafeRawBufferPointer?,
        value: UnsafeRawBufferPointer?,
        timestamp: Int64 = 0,
        headers: borrowing RecordHeaders = .none,
        opaque: UInt
    ) throws(StreamError) {
        hasSent = true
        while true {
            do {
                try producer(topic.lane).produce(
                    to: topic.topic,
                    partition: partition,
                    key: key,
                    value: value,
                    timestamp: timestamp,
                    headers: headers.copy(),
                    opaque: opaque
                )
                return
            } catch {
                guard error.code == .queueFull else { throw .kafka(error) }
                heartbeat()
                if shouldStop() { throw .stopped }
                producer(topic.lane).poll(timeout: .milliseconds(20))
            }
        }
    }

    /// Serves delivery reports without waiting.
    func poll() {
        repartition.poll(timeout: .zero)
        output.poll(timeout: .zero)
    }

    /// Waits until all that was sent is acknowledged, however long the broker is away.
    func flush() throws(StreamError) {
        for producer in [repartition, output] {
            while producer.outstandingCount > 0 {
                do {
                    try producer.flush(timeout: .milliseconds(500))
                } catch {
                    guard error.code == .timedOut else { throw .kafka(error) }
                    heartbeat()
                    if shouldStop() { throw .stopped }
                }
            }
        }
        if let failure { throw .kafka(failure) }
    }

    func committed() { hasSent = false }

    /// Forgets what is under way: the thread goes back to what is committed.
    func discard() {
        repartition.purge()
        output.purge()
        failure = nil
        hasSent = false
    }

    /// Whether a producer can no longer be used.
    var fatalError: KafkaError? { repartition.fatalError ?? output.fatalError }

    func delivered(_ report: borrowing DeliveryReport) {
        if let error = report.error {
            let isOurDoing = error.code == .purgedInQueue || error.code == .purgedInFlight
            if failure == nil && !isOurDoing { failure = error }
        } else if report.opaque != 0 {
            changelogOffsets[report.opaque] = max(changelogOffsets[report.opaque] ?? 0, report.offset + 1)
        }
    }
}
