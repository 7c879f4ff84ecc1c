import KafkaClient

/// Whether a task has read what was there when its partition was assigned: first everything in the upstream topic has been
/// forwarded, by whichever instance, then everything in the task's own partition has been folded (contract, section 3: timers do
/// not fire before).
struct CatchUp {
    private enum Phase {
        /// The upstream partitions that have to be committed, each to this offset.
        case upstream([TopicPartition: Int64])
        /// The end of the task's own partition has to be looked up.
        case end
        /// The task's own partition has to be processed to this offset.
        case own(Int64)
        case done
    }

    private var phase: Phase

    /// - Parameter upstream: the ends of the upstream partitions at assignment; empty: there is no upstream.
    init(upstream: [TopicPartition: Int64]) {
        let ends = upstream.filter { $0.value > 0 }
        phase = ends.isEmpty ? .end : .upstream(ends)
    }

    var isDone: Bool {
        if case .done = phase { true } else { false }
    }

    /// Upstream partitions whose committed offsets decide how it goes on.
    var awaitedUpstream: [TopicPartition] {
        if case .upstream(let ends) = phase { Array(ends.keys) } else { [] }
    }

    /// Whether `found(end:)` is what it waits for.
    var needsEnd: Bool {
        if case .end = phase { true } else { false }
    }

    /// The group's committed offsets, of as many partitions as are known.
    mutating func committed(_ offsets: [TopicPartition: Int64]) {
        guard case .upstream(let ends) = phase else { return }
        let left = ends.filter { (offsets[$0.key] ?? 0) < $0.value }
        phase = left.isEmpty ? .end : .upstream(left)
    }

    /// The end of the task's own partition, looked up after `needsEnd`: what was forwarded until then is before it.
    mutating func found(end: Int64) {
        if needsEnd { phase = .own(end) }
    }

    /// - Parameter position: the next offset that the task will process, if it is known.
    mutating func processed(to position: Int64?) {
        if case .own(let end) = phase, end == 0 || (position ?? 0) >= end { phase = .done }
    }
}
