import KafkaClient
import Logging
import Metrics

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

/// The producing side of a stream thread: sends, counts what is not yet acknowledged, learns the changelog's offsets, and with
/// exactly_once holds the thread's transaction. After any error it is closed and another one made, which also ends what
/// the old one left open: a producer that timed out cannot be trusted with the next transaction (confluentinc/librdkafka#5423).
final class RecordCollector {
    struct Settings {
        var client: ClientConfiguration
        /// Nil: no transactions. Else the broker lets only the newest producer of this name write.
        var transactionalID: String?
        /// Seconds after which the broker aborts.
        var transactionTimeout: Double
    }

    private let repartition: Producer
    private let output: Producer
    private let settings: Settings
    private let deliveries: Deliveries
    private let heartbeat: () -> Void
    private let shouldStop: () -> Bool
    private let transactionTimer = Timer(label: "payload_tracker_transaction_duration")
    private var topics: [String: OutputTopic] = [:]
    /// Monotonic seconds; nil while no transaction is open.
    private var transactionBegan: Double?
    /// Whether anything was sent since the last commit.
    private(set) var hasSent = false
    /// Monotonic seconds since which the producer of the repartition lane may hold records back for a fuller batch; nil: it holds none.
    private var heldSince: Double?

    /// Seconds that a record may wait for others when there is time to send it: less costs more in requests than in waiting.
    private static let longestHold = 0.005

    /// - Parameters:
    ///   - heartbeat: called while waiting for the broker, which may take for ever.
    ///   - shouldStop: ends such a wait with `.stopped`.
    init(
        _ settings: Settings,
        events: ClientEvents,
        heartbeat: @escaping () -> Void,
        shouldStop: @escaping () -> Bool
    ) throws(KafkaError) {
        self.settings = settings
        self.heartbeat = heartbeat
        self.shouldStop = shouldStop
        deliveries = Deliveries()
        let tuning: ClientConfiguration = [
            "queue.buffering.max.kbytes": "65536", "batch.size": "\(StreamSettings.fetchBytes)",
        ]
        // Reports of success tell the changelog's offsets, and wake who waits in a flush: it would look only every 10 ms.
        let common = tuning.merging(settings.client).merging([
            "message.max.bytes": "\(64 << 20)", "delivery.report.only.error": "false",
        ])
        // Nothing that was accepted may time out while a broker is away: no record expires (0 means for ever).
        let lasting = common.merging(["message.timeout.ms": "0"])
        // For a backlog, where it makes full batches; with less to do `sendHeld` comes before it, and a commit flushes.
        repartition = try Producer(
            ClientConfiguration(["linger.ms": "50"]).merging(lasting),
            events: events,
            delivery: deliveries
        )
        var outputConfiguration = lasting
        if let id = settings.transactionalID {
            let timeout = "\(Int(settings.transactionTimeout * 1_000))"
            outputConfiguration = common.merging([
                "transactional.id": id, "transaction.timeout.ms": timeout, "message.timeout.ms": timeout,
            ])
        }
        output = try Producer(outputConfiguration, events: events, delivery: deliveries)
    }

    /// The producers keep this, and it does not keep them: no cycle.
    private final class Deliveries: DeliveryListener {
        let hearsOfUnmarkedSuccess = false
        /// The first record that was not delivered.
        var failure: KafkaError?
        /// Next offset of a changelog partition, by the `opaque` its records were sent with.
        var changelogOffsets: [UInt: Int64] = [:]

        func delivered(_ report: borrowing DeliveryReport) {
            if let error = report.error {
                if failure == nil { failure = error }
            } else if report.opaque != 0 {
                changelogOffsets[report.opaque] = max(changelogOffsets[report.opaque] ?? 0, report.offset + 1)
            }
        }
    }

    /// The next offset after the changelog records that were sent with `opaque`; nil: there were none.
    func changelogOffset(_ opaque: UInt) -> Int64? { deliveries.changelogOffsets[opaque] }

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
        switch topic.lane {
        case .output: try beginTransaction()
        case .repartition: if heldSince == nil { heldSince = monotonicSeconds() }
        }
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
                try checkPatience()
                producer(topic.lane).poll(timeout: .milliseconds(20))
            }
        }
    }

    /// Serves delivery reports without waiting.
    func poll() {
        repartition.poll(timeout: .zero)
        output.poll(timeout: .zero)
    }

    /// Until `sendHeld` has something to do; nil: it has nothing.
    var secondsUntilHeldIsDue: Double? {
        heldSince.map { max($0 + RecordCollector.longestHold - monotonicSeconds(), 0) }
    }

    /// Has what was held long enough sent, for a thread that has nothing else to do. Waits for a millisecond at most.
    func sendHeld() {
        guard let seconds = secondsUntilHeldIsDue, seconds == 0 else { return }
        // A flush asks for everything to be sent at once; what the library does not take up in time is asked for again. What fails, a commit's
        // flush tells.
        try? repartition.flush(timeout: .milliseconds(1))
        heldSince = repartition.outstandingCount > 0 ? monotonicSeconds() : nil
    }

    /// Waits until all that was sent is acknowledged: without a transaction however long the broker is away, with one as long as it lives.
    func flush() throws(StreamError) {
        for producer in [repartition, output] {
            while producer.outstandingCount > 0 {
                do {
                    try producer.flush(timeout: .milliseconds(500))
                } catch {
                    guard error.code == .timedOut else { throw .kafka(error) }
                    try checkPatience()
                }
            }
        }
        heldSince = nil
        if let failure = deliveries.failure { throw .kafka(failure) }
    }

    private func checkPatience() throws(StreamError) {
        heartbeat()
        if shouldStop() { throw .stopped }
        if transactionBegan != nil, secondsLeft <= 0 {
            throw .kafka(KafkaError(.timedOut, "the transaction has become too old to commit", kind: .abortable))
        }
    }

    /// - Parameter waits: false leaves the library's threads to end in the background.
    func close(waits: Bool = true) {
        abortTransaction()
        repartition.close(waits: waits)
        output.close(waits: waits)
    }
}

// MARK: Transactions

extension RecordCollector {
    var isTransactional: Bool { settings.transactionalID != nil }
    var hasTransaction: Bool { transactionBegan != nil }

    /// Fences former producers of the same name, and ends what they left open. Before anything is sent.
    ///
    /// - Returns: false if the brokers have not answered in time: try again.
    func initTransactions(timeout: Duration) throws(KafkaError) -> Bool {
        guard isTransactional else { return true }
        do {
            try output.initTransactions(timeout: timeout)
            return true
        } catch {
            guard error.kind == .retriable else { throw error }
            return false
        }
    }

    private func beginTransaction() throws(StreamError) {
        guard isTransactional, transactionBegan == nil else { return }
        try withKafka { () throws(KafkaError) in try output.beginTransaction() }
        transactionBegan = monotonicSeconds()
    }

    /// Makes the offsets part of the transaction, which begins if nothing was sent yet. `flush` first: records of the repartition lane
    /// are not part of it.
    func sendOffsets(_ offsets: [TopicPartition: Int64], group: ConsumerGroupMetadata) throws(StreamError) {
        try beginTransaction()
        // In one call: the library tries again by itself until its time is over, and what fails then has spoilt the transaction.
        let timeout = patience
        try withKafka { () throws(KafkaError) in
            try output.sendOffsets(offsets, group: group, timeout: timeout)
        }
    }

    /// Ends the transaction, if there is one. An error leaves open whether it was committed.
    func commitTransaction() throws(StreamError) {
        guard let began = transactionBegan else { return }
        let timeout = patience
        try withKafka { () throws(KafkaError) in try output.commitTransaction(timeout: timeout) }
        transactionTimer.recordSeconds(monotonicSeconds() - began)
        transactionBegan = nil
    }

    /// How long a call may take that ends the transaction.
    private var patience: Duration { .seconds(max(shouldStop() ? min(secondsLeft, 1) : secondsLeft, 0.1)) }

    /// Of the time in which the transaction can be committed, with some to spare for the commit itself.
    private var secondsLeft: Double {
        let began = transactionBegan ?? monotonicSeconds()
        return began + settings.transactionTimeout * 0.9 - monotonicSeconds()
    }

    /// So that others need not wait until it times out. If it fails, they do.
    func abortTransaction() {
        guard transactionBegan != nil, output.fatalError == nil else { return }
        try? output.abortTransaction(timeout: .seconds(1))
        transactionBegan = nil
    }

    func committed() { hasSent = false }
}
