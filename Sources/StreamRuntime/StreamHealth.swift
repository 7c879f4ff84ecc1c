import Synchronization

/// What the threads of an application say of themselves. Thread-safe.
public final class StreamHealth: Sendable {
    private struct ThreadState {
        var lastBeat = monotonicSeconds()
        var hasJoined = false
        var deathReason: String?
        /// Since the last commit that had something to commit.
        var failures = 0
        var failureReason = ""

        var idleSeconds: Double { monotonicSeconds() - lastBeat }
        var isStalled: Bool { failures >= StreamHealth.maxFailures || idleSeconds > StreamHealth.stallSeconds }
    }

    /// How many stream threads there are of each kind; together they are all.
    public struct ThreadCounts: Hashable, Sendable {
        /// They make progress; waiting for a broker is progress.
        public var alive = 0
        /// They have shown no sign for a minute, or have failed ten times in a row.
        public var stalled = 0
        /// They have stopped, or left the group until their disk can be written.
        public var dead = 0
    }

    private struct State {
        var threads: [Int: ThreadState] = [:]
        var isPrepared = false
        var isBrokerReachable = true
        /// Why the state directory cannot be opened yet.
        var stateProblem: String?
        /// When each was told, in monotonic seconds.
        var refusals: [ConnectionRefusal: Double] = [:]
    }

    /// Every client tries again and again, and each time it is refused.
    private static let refusalSeconds = 300.0
    /// A reason may hold anything, such as a time.
    private static let maxRefusals = 8

    /// A thread that shows no progress for this long is stalled. Waiting for a broker counts as progress.
    private static let stallSeconds = 60.0
    /// A thread that fails this often in a row, for another reason than that Kafka cannot be reached, makes no progress.
    private static let maxFailures = 10
    private let state = Mutex(State())

    /// What stops the worker from making progress; empty: it is healthy. Brokers that are away are no such thing.
    public var problems: [String] {
        state.withLock { state in
            if let problem = state.stateProblem { return [problem] }
            return state.threads.sorted { $0.key < $1.key }.compactMap { number, thread in
                if let reason = thread.deathReason { return "stream thread \(number) has stopped: \(reason)" }
                if thread.failures >= StreamHealth.maxFailures {
                    return "stream thread \(number) cannot go on, and keeps trying: \(thread.failureReason)"
                }
                return thread.isStalled
                    ? "stream thread \(number) has made no progress for \(Int(thread.idleSeconds)) s" : nil
            }
        }
    }

    public var threads: ThreadCounts {
        state.withLock { state in
            var counts = ThreadCounts()
            for thread in state.threads.values {
                if thread.deathReason != nil {
                    counts.dead += 1
                } else if thread.isStalled {
                    counts.stalled += 1
                } else {
                    counts.alive += 1
                }
            }
            return counts
        }
    }

    /// What the worker waits for before all of its partitions are served, their tasks aside.
    public var waitingFor: [String] {
        state.withLock { state in
            if !state.isBrokerReachable { return ["Kafka cannot be reached"] }
            if let problem = state.stateProblem { return [problem] }
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

    /// Returns whether that is news.
    @discardableResult
    func setStateProblem(_ problem: String?) -> Bool {
        state.withLock { state in
            defer { state.stateProblem = problem }
            return state.stateProblem != problem
        }
    }

    /// Whether the refusal has not been told for long, and is not one of very many.
    func isNews(_ refusal: ConnectionRefusal) -> Bool {
        state.withLock { state in
            let now = monotonicSeconds()
            state.refusals = state.refusals.filter { now - $0.value < StreamHealth.refusalSeconds }
            guard state.refusals[refusal] == nil, state.refusals.count < StreamHealth.maxRefusals else { return false }
            state.refusals[refusal] = now
            return true
        }
    }

    func prepared(threads: Int) {
        state.withLock { state in
            state.isPrepared = true
            for number in 0..<threads { state.threads[number] = ThreadState() }
        }
    }

    func beat(thread: Int) { state.withLock { $0.threads[thread]?.lastBeat = monotonicSeconds() } }

    func failed(thread: Int, reason: String) {
        state.withLock { state in
            guard state.isBrokerReachable else { return }
            state.threads[thread]?.failureReason = reason
            state.threads[thread]?.failures += 1
        }
    }

    func succeeded(thread: Int) { state.withLock { $0.threads[thread]?.failures = 0 } }
    /// Its partitions are gone, and the group has not said yet which it gets now.
    func left(thread: Int) { state.withLock { $0.threads[thread]?.hasJoined = false } }
    func joined(thread: Int) { state.withLock { $0.threads[thread]?.hasJoined = true } }
    func revived(thread: Int) { state.withLock { $0.threads[thread] = ThreadState() } }
    func died(thread: Int, reason: String) { state.withLock { $0.threads[thread]?.deathReason = reason } }
}
