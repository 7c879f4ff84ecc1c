import KafkaClient

/// Whether a task has read what was there when its partition was assigned: first everything in the upstream topic has been
/// forwarded, by whichever instance, then everything in the task's own partition has been folded (contract, section 3: timers do
/// not fire before).
struct CatchUp {
    private enum Phase {
        /// The upstream partitions that have to be committed, each to this offset.
        case upstream([TopicPartition: Int64])
        /// The task's own partition has to be processed to this offset.
        case own(Int64)
        case done
    }

    private var phase: Phase

    /// - Parameter upstream: the ends of the upstream partitions at assignment; empty: there is no upstream.
    init(upstream: [TopicPartition: Int64]) { phase = .upstream(upstream.filter { $0.value > 0 }) }

    var isDone: Bool {
        if case .done = phase { true } else { false }
    }

    /// Moves on as far as it can.
    ///
    /// - Parameters:
    ///   - position: the next offset that the task will process, if it is known.
    ///   - committed: the group's committed offsets of the given partitions.
    ///   - end: the end of the task's own partition now.
    mutating func advance(
        position: Int64?,
        committed: ([TopicPartition]) throws(StreamError) -> [TopicPartition: Int64],
        end: () throws(StreamError) -> Int64
    ) throws(StreamError) {
        if case .upstream(var ends) = phase {
            if !ends.isEmpty {
                let offsets = try committed(Array(ends.keys))
                ends = ends.filter { (offsets[$0.key] ?? 0) < $0.value }
                phase = .upstream(ends)
            }
            if ends.isEmpty { phase = .own(try end()) }
        }
        if case .own(let end) = phase, end == 0 || (position ?? 0) >= end { phase = .done }
    }
}
