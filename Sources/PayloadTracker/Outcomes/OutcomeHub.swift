import KafkaClient
import Logging
import Metrics
import QueryService
import ServiceLifecycle
import StreamRuntime
import Synchronization

/// Brings committed outcomes to those who listen.
///
/// While anyone listens, one consumer reads the topic, of all instances' outcomes, on a thread of its own, into a ring that all
/// listeners read from. Who falls out of the ring is too slow and ends. Who comes back to a position that has left the ring
/// reads on with a consumer of its own, at its own pace, until it is in the ring.
final class OutcomeHub: OutcomeSource, Service {
    struct Configuration: Sendable {
        var topic: String
        var client: ClientConfiguration
        /// Nobody joins it, but the client wants one, and a cluster may have rules for its name.
        var groupID: String
        var maxListeners = 256
        /// Each has threads and memory of its own.
        var maxReplays = 8
        /// Outcomes that a listener may be behind.
        var maxRingCount = 4_096
        /// How long the reader outlives its last listener: those who lost their connection come back at once.
        var linger = Duration.seconds(5)
    }

    private struct Listener {
        let bell: AsyncStream<Void>.Continuation
        /// What it has been given.
        var position = OutcomePosition(nextOffsets: [])
        /// Its place in the ring; nil while it replays.
        var number: UInt64?
        var isReplaying = false
        var replayed: [CommittedOutcome] = []
        var replayedByteCount = 0
    }

    private enum Reader {
        case idle
        case starting([CheckedContinuation<SubscriptionFailure?, Never>])
        case running(OutcomeRing)
    }

    private struct State {
        var reader = Reader.idle
        var listeners: [Int: Listener] = [:]
        var nextID = 0
        var unusedSince: ContinuousClock.Instant?
        var isEnding = false
    }

    /// Blocking work and its thread's name.
    private struct Job: Sendable {
        let name: String
        let body: @Sendable () -> Void
    }

    let configuration: Configuration
    let logger: Logger
    private let partitionCount: @Sendable () -> Int?
    private let state = Mutex(State())
    private let jobs: AsyncStream<Job>
    private let start: AsyncStream<Job>.Continuation
    private let listenerCount = Gauge(label: "payload_tracker_outcome_listeners")

    /// Of what a listener takes at once, and of what a replay reads ahead.
    private static let maxBatchCount = 256
    private static let maxBatchBytes = 1 << 20

    /// - Parameter partitionCount: of the topic; nil while that is not known.
    init(_ configuration: Configuration, logger: Logger, partitionCount: @escaping @Sendable () -> Int?) {
        self.configuration = configuration
        self.logger = logger
        self.partitionCount = partitionCount
        (jobs, start) = AsyncStream.makeStream(of: Job.self)
    }

    /// Runs the threads, until it is shut down and they have ended.
    func run() async {
        await withDiscardingTaskGroup { group in
            await withGracefulShutdownHandler {
                for await job in jobs { group.addTask { await onOwnThread(job.name, job.body) } }
            } onGracefulShutdown: { [self] in
                end()
            }
            end()
        }
    }

    private func end() {
        start.finish()
        resume(.unavailable(reason: "this instance is shutting down", retryAfterSeconds: 5)) { state in
            state.isEnding = true
            if case .starting = state.reader { state.reader = .idle }
            self.endListeners(&state)
        }
    }

    // MARK: Listeners

    func subscribe(from position: OutcomePosition?) async throws(SubscriptionFailure) -> any OutcomeSubscription {
        guard let partitionCount = partitionCount() else {
            throw .unavailable(reason: "the worker has not reached Kafka yet", retryAfterSeconds: 5)
        }
        if let position, position.nextOffsets.count > partitionCount {
            throw .badPosition("it is of another topic: this one has \(partitionCount) partitions")
        }
        let (bells, bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id = try register(bell)
        do throws(SubscriptionFailure) {
            if let failure = await started() { throw failure }
            let start = try place(id, at: position?.padded(to: partitionCount))
            return OutcomeListener(id: id, start: start, bells: bells, hub: self)
        } catch {
            remove(id)
            throw error
        }
    }

    private func register(_ bell: AsyncStream<Void>.Continuation) throws(SubscriptionFailure) -> Int {
        let id: Int? = state.withLock { state in
            guard !state.isEnding, state.listeners.count < configuration.maxListeners else { return nil }
            state.nextID += 1
            state.listeners[state.nextID] = Listener(bell: bell)
            state.unusedSince = nil
            listenerCount.record(state.listeners.count)
            return state.nextID
        }
        guard let id else {
            let reason = "\(configuration.maxListeners) listen already, or the worker ends; try another instance"
            throw .unavailable(reason: reason, retryAfterSeconds: 10)
        }
        return id
    }

    /// Waits until the shared reader runs. Returns why it does not.
    private func started() async -> SubscriptionFailure? {
        await withCheckedContinuation { continuation in
            let isWaiting = state.withLock { state in
                // Ended, or running: `place` tells.
                if state.isEnding { return false }
                switch state.reader {
                case .running: return false
                case .starting(let others): state.reader = .starting(others + [continuation])
                case .idle:
                    state.reader = .starting([continuation])
                    start.yield(Job(name: "outcomes") { [self] in OutcomeReader(self).run() })
                }
                return true
            }
            if !isWaiting { continuation.resume(returning: nil) }
        }
    }

    /// Puts a listener into the ring, or makes it replay.
    private func place(_ id: Int, at position: OutcomePosition?) throws(SubscriptionFailure) -> OutcomePosition {
        let placed: Result<OutcomePosition, SubscriptionFailure> = state.withLock { state in
            guard case .running(let ring) = state.reader, var listener = state.listeners[id] else {
                return .failure(.unavailable(reason: "the outcomes could not be read on", retryAfterSeconds: 2))
            }
            listener.position = position ?? ring.end
            if position == nil {
                listener.number = ring.next
            } else if listener.position.isAtLeast(ring.start) {
                listener.number = ring.first
            } else {
                guard state.listeners.count(where: \.value.isReplaying) < configuration.maxReplays else {
                    let reason = "\(configuration.maxReplays) others are reading what they missed"
                    return .failure(.unavailable(reason: reason, retryAfterSeconds: 10))
                }
                listener.isReplaying = true
                let position = listener.position
                start.yield(
                    Job(name: "replay") { [self] in OutcomeReplay(self, listener: id, from: position).run() }
                )
            }
            state.listeners[id] = listener
            return .success(listener.position)
        }
        return try placed.get()
    }

    func remove(_ id: Int) {
        state.withLock { state in
            state.listeners.removeValue(forKey: id)?.bell.finish()
            if state.listeners.isEmpty { state.unusedSince = .now }
            listenerCount.record(state.listeners.count)
        }
    }

    /// What there is for a listener now; nil when there will be no more.
    func take(_ id: Int) -> [CommittedOutcome]? {
        state.withLock { state in
            guard var listener = state.listeners[id], case .running(let ring) = state.reader else { return nil }
            defer { state.listeners[id] = listener }
            if !listener.replayed.isEmpty {
                defer {
                    listener.replayed = []
                    listener.replayedByteCount = 0
                }
                return listener.replayed
            }
            guard let number = listener.number else { return [] }
            let found = ring.outcomes(
                from: number,
                maxCount: OutcomeHub.maxBatchCount,
                maxByteCount: OutcomeHub.maxBatchBytes
            )
            guard let found else { return nil }
            listener.number = number + UInt64(found.count)
            return found.filter { listener.position.advance(past: $0.offset, of: $0.partition) }
        }
    }

    // MARK: The shared reader's thread

    func readerStarted(at position: OutcomePosition) {
        let ring = OutcomeRing(at: position, maxCount: configuration.maxRingCount)
        resume(nil) { $0.reader = .running(ring) }
    }

    /// Ends those who listen: a new reader would not know what they have missed, but their own ids tell.
    func readerEnded(because failure: SubscriptionFailure) {
        resume(failure) { state in
            state.reader = .idle
            self.endListeners(&state)
        }
    }

    private func resume(_ failure: SubscriptionFailure?, _ change: (inout sending State) -> Void) {
        let waiting: [CheckedContinuation<SubscriptionFailure?, Never>] = state.withLock { state in
            var waiting: [CheckedContinuation<SubscriptionFailure?, Never>] = []
            if case .starting(let continuations) = state.reader { waiting = continuations }
            change(&state)
            return waiting
        }
        for continuation in waiting { continuation.resume(returning: failure) }
    }

    private func endListeners(_ state: inout State) {
        for listener in state.listeners.values { listener.bell.finish() }
        state.listeners = [:]
        listenerCount.record(0)
    }

    func append(_ outcome: CommittedOutcome) {
        state.withLock { state in
            guard case .running(var ring) = state.reader else { return }
            // Not two owners of the ring at a time, or each outcome would copy it.
            state.reader = .idle
            ring.append(outcome)
            state.reader = .running(ring)
            for listener in state.listeners.values { listener.bell.yield() }
        }
    }

    /// Lets listeners see what time it is.
    func ring() {
        state.withLock { state in
            for listener in state.listeners.values { listener.bell.yield() }
        }
    }

    /// False, and the reader is one no longer, once nobody has listened for a while.
    func readerGoesOn() -> Bool {
        state.withLock { state in
            let isUnused = state.unusedSince.map { ContinuousClock.now - $0 > configuration.linger } ?? false
            guard state.isEnding || (state.listeners.isEmpty && isUnused) else { return true }
            state.reader = .idle
            return false
        }
    }

    // MARK: The threads of those who replay

    enum ReplayWish {
        case more, pause, nothing
    }

    func replayWish(_ id: Int) -> ReplayWish {
        state.withLock { state in
            guard let listener = state.listeners[id], listener.isReplaying, !state.isEnding else { return .nothing }
            let isFull =
                listener.replayed.count >= OutcomeHub.maxBatchCount
                || listener.replayedByteCount >= OutcomeHub.maxBatchBytes
            return isFull ? .pause : .more
        }
    }

    func replay(_ outcome: CommittedOutcome, to id: Int) {
        state.withLock { state in
            guard state.listeners[id]?.position.advance(past: outcome.offset, of: outcome.partition) == true else {
                return
            }
            state.listeners[id]?.replayed.append(outcome)
            state.listeners[id]?.replayedByteCount += outcome.json.count
            state.listeners[id]?.bell.yield()
        }
    }

    /// Goes over to the ring, if that has all that comes after `position`.
    func endReplay(_ id: Int, at position: OutcomePosition) {
        state.withLock { state in
            guard case .running(let ring) = state.reader, position.isAtLeast(ring.start) else { return }
            state.listeners[id]?.isReplaying = false
            state.listeners[id]?.number = ring.first
            state.listeners[id]?.bell.yield()
        }
    }
}
