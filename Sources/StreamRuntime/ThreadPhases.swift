import Metrics

/// What stream threads spend their time on: `payload_tracker_stream_thread_seconds`, the sum over the threads. Kafka Streams tells the same
/// as ratios (poll, process, punctuate, commit; KIP-444). Belongs to one stream thread.
struct ThreadPhases {
    enum Phase: Int, CaseIterable {
        /// For the first record, with nothing else to do.
        case wait
        /// Stores catch up with their changelogs, and tasks begin.
        case restore
        /// Records are taken, decoded, and folded or sent on.
        case process
        /// Timers.
        case punctuate
        /// Of a commit: states are encoded, for the changelog and for the store.
        case encode
        /// Of a commit: until the brokers have acknowledged what was sent.
        case flush
        /// Of a commit: the offsets, and the end of the transaction.
        case offsets
        /// Of a commit: the stores are written.
        case store
    }

    private let counters = Phase.allCases.map { phase in
        FloatingPointCounter(label: "payload_tracker_stream_thread_seconds", dimensions: [("phase", "\(phase)")])
    }
    private var unspent = [Double](repeating: 0, count: Phase.allCases.count)
    private var since = monotonicSeconds()

    /// The time since the last call went into this.
    mutating func spent(on phase: Phase) {
        let now = monotonicSeconds()
        unspent[phase.rawValue] += now - since
        since = now
    }

    /// To be called now and then: counters are slower than what is counted.
    mutating func publish() {
        for index in unspent.indices where unspent[index] > 0 {
            counters[index].increment(by: unspent[index])
            unspent[index] = 0
        }
    }
}
