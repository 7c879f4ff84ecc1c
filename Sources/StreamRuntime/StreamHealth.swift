import Synchronization

/// What the threads of an application say of themselves. Thread-safe.
public final class StreamHealth: Sendable {
    private struct ThreadState {
        var lastBeat = monotonicSeconds()
        var hasJoined = false
        var deathReason: String?
        /// Since the last commit.
        var permanentFailures = 0
        var failureReason = ""
    }

    private struct State {
        var threads: [Int: ThreadState] = [:]
        var isPrepared = false
        var isBrokerReachable = true
    }

    /// A thread that shows no progress for this long is stalled. Waiting for a broker counts as progress.
    private static let stallSeconds = 60.0
    /// A thread that fails this often in a row, for reasons that do not pass by themselves, makes no progress.
    private static let maxPermanentFailures = 10
    private let state = Mutex(State())

    /// What stops the worker from making progress; empty: it is healthy. Brokers that are away are no such thing.
    public var problems: [String] {
        state.withLock { state in
            state.threads.sorted { $0.key < $1.key }.compactMap { number, thread in
                if let reason = thread.deathReason { return "stream thread \(number) has stopped: \(reason)" }
                if thread.permanentFailures >= StreamHealth.maxPermanentFailures {
                    return "stream thread \(number) cannot go on, and keeps trying: \(thread.failureReason)"
                }
                let idle = monotonicSeconds() - thread.lastBeat
                return idle > StreamHealth.stallSeconds
                    ? "stream thread \(number) has made no progress for \(Int(idle)) s" : nil
            }
        }
    }

    /// What the worker waits for before all of its partitions are served, their tasks aside.
    public var waitingFor: [String] {
        state.withLock { state in
            if !state.isBrokerReachable { return ["Kafka cannot be reached"] }
            if !state.isPrepared { return ["the topics have not been checked yet"] }
            return state.threads.sorted { $0.key < $1.key }.compactMap { number, thread in
                thread.hasJoined ? nil : "stream thread \(number) has not joined the consumer group yet"
            }
        }
    }

    var isBrokerReachable: Bool { state.withLock { $0.isBrokerReachable } }

    /// Returns whether that is news.
    func setBrokerReachable(_ isReachable: Bool) -> Bool {
        state.withLock { state in
            defer { state.isBrokerReachable = isReachable }
            return state.isBrokerReachable != isReachable
        }
    }

    func prepared(threads: Int) {
        state.withLock { state in
            state.isPrepared = true
            for number in 0..<threads { state.threads[number] = ThreadState() }
        }
    }

    func beat(thread: Int) { state.withLock { $0.threads[thread]?.lastBeat = monotonicSeconds() } }

    func failed(thread: Int, reason: String, isPermanent: Bool) {
        state.withLock { state in
            state.threads[thread]?.failureReason = reason
            if isPermanent { state.threads[thread]?.permanentFailures += 1 }
        }
    }

    func succeeded(thread: Int) { state.withLock { $0.threads[thread]?.permanentFailures = 0 } }
    func joined(thread: Int) { state.withLock { $0.threads[thread]?.hasJoined = true } }
    func died(thread: Int, reason: String) { state.withLock { $0.threads[thread]?.deathReason = reason } }
}
