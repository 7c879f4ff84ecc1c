import KafkaClient
import Logging
import Synchronization

/// Knows which instance works on which partition, and asks the group's coordinator when it has to: after each rebalance until it tells who
/// has what, and when someone found that what is known is wrong; never twice at once, and not more often than once a second. Thread-safe.
public final class PartitionOwnership: Sendable {
    /// Asks the coordinator. Blocks: it is called on a thread of its own.
    typealias Describe = @Sendable () throws(KafkaError) -> GroupDescription

    private struct State {
        var map = OwnershipMap()
        var refresh: Task<Void, Never>?
        /// Before this the coordinator is not asked again.
        var nextQuestion = ContinuousClock.now
        /// Since the last question there has been a rebalance.
        var isOutdated = false
        var isFailing = false
        var isStopped = false
        /// The embedded broker describes no groups.
        var isSupported = true
        var own: StreamInstance?
        /// What was last told of this instance's own address in the group.
        var reportedServer: String?
    }

    private let state = Mutex(State())
    private let describe: Describe
    private let gap: Duration
    private let gapAfterFailure: Duration
    private let logger: Logger

    init(
        gap: Duration = .seconds(1),
        gapAfterFailure: Duration = .seconds(5),
        logger: Logger,
        describe: @escaping Describe
    ) {
        self.gap = gap
        self.gapAfterFailure = gapAfterFailure
        self.logger = logger
        self.describe = describe
    }

    /// What is known now. Does not wait.
    public var map: OwnershipMap { state.withLock { $0.map } }

    /// This instance; nil before it has joined the group.
    public var own: StreamInstance? { state.withLock { $0.own } }

    /// What is known once the coordinator has been asked again; several callers share one question.
    ///
    /// - Parameters:
    ///   - version: of the map that the caller found wrong. One that is newer already is returned at once.
    ///   - isPatient: whether to wait, for a second at most, until the coordinator may be asked again; without it, what was asked just
    ///     now has to do.
    public func refreshed(after version: Int, isPatient: Bool) async -> OwnershipMap {
        let refresh = state.withLock { state -> Task<Void, Never>? in
            state.map.version > version ? nil : startRefresh(&state, isPatient: isPatient)
        }
        await refresh?.value
        return map
    }

    func started(as instance: StreamInstance) { state.withLock { $0.own = instance } }

    /// Nobody asks from now on.
    func stop() {
        state.withLock { state in
            state.isStopped = true
            state.refresh?.cancel()
        }
    }

    /// Called in a rebalance, when the group has agreed on a new assignment. Does not wait.
    func rebalanced() {
        state.withLock { state in
            state.isOutdated = true
            _ = startRefresh(&state, isPatient: true)
        }
    }

    /// Nil: it is not the time to ask.
    private func startRefresh(_ state: inout State, isPatient: Bool) -> Task<Void, Never>? {
        let wait = state.nextQuestion - .now
        if wait > .zero && (!isPatient || state.isFailing) { return nil }
        return startRefresh(&state, after: wait)
    }

    private func startRefresh(_ state: inout State, after wait: Duration) -> Task<Void, Never>? {
        guard state.isSupported, !state.isStopped else { return nil }
        if state.refresh == nil { state.refresh = Task { await self.refresh(after: wait) } }
        return state.refresh
    }

    private func refresh(after wait: Duration) async {
        if wait > .zero { try? await Task.sleep(for: wait) }
        let isStopped = state.withLock { state in
            state.isOutdated = false
            return state.isStopped
        }
        if isStopped { return }
        let answer = await onOwnThread("ownership") { [describe] in
            Result { () throws(KafkaError) in try describe() }
        }
        take(answer)
        state.withLock { state in
            state.refresh = nil
            // Until it is told: standbys are placed by the map, and nobody else may ask for long.
            guard state.isOutdated || state.map.problem != nil else { return }
            _ = startRefresh(&state, after: state.nextQuestion - .now)
        }
    }

    private func take(_ answer: Result<GroupDescription, KafkaError>) {
        let warning = state.withLock { state -> String? in
            defer { state.nextQuestion = .now + (state.isFailing ? gapAfterFailure : gap) }
            switch answer {
            case .success(let group):
                state.map.update(group)
                state.isFailing = false
                return PartitionOwnership.wrongAddress(&state)
            case .failure(let error) where error.code == .unsupportedFeature:
                state.map.failed("this broker cannot tell who has which partition")
                state.isSupported = false
                return nil
            case .failure(let error):
                state.map.failed("the group's coordinator cannot be asked who has which partition")
                defer { state.isFailing = true }
                return state.isFailing ? nil : "cannot ask the group's coordinator who has which partition: \(error)"
            }
        }
        if let warning { logger.warning("\(warning)") }
    }

    /// The coordinator keeps the `client.id` of a static member that comes back within the session timeout, with the address in it.
    private static func wrongAddress(_ state: inout State) -> String? {
        guard let own = state.own, let told = state.map.instances.first(where: { $0.name == own.name }),
            !state.map.instances.contains(own), told.server != state.reportedServer
        else {
            return nil
        }
        state.reportedServer = told.server
        return """
            the group still knows this instance by an earlier address, \(told.server ?? "none"), and other instances cannot ask it at \
            \(own.server ?? "none"); with group.instance.id keep advertised.url the same over restarts, or stay away for session.timeout
            """
    }
}

/// Asks the coordinator of an application's group for its members.
final class GroupCoordinator: Sendable {
    private let settings: StreamSettings
    private let logger: Logger
    private let admin = Mutex<Admin?>(nil)

    private static let timeout = Duration.seconds(3)

    init(_ settings: StreamSettings, logger: Logger) {
        self.settings = settings
        self.logger = logger
    }

    /// Blocks the calling thread.
    func describe() throws(KafkaError) -> GroupDescription {
        let id = settings.applicationID
        let answers = try openedAdmin().describeGroups([id], timeout: GroupCoordinator.timeout)
        guard let group = try answers[id]?.get() else { throw KafkaError(.groupIDNotFound, id) }
        return group
    }

    private func openedAdmin() throws(KafkaError) -> Admin {
        if let admin = admin.withLock({ $0 }) { return admin }
        var events = ClientEvents()
        // Whether brokers can be reached is judged by clients that live longer than one question.
        events.log = { [logger] _, facility, message in logger.debug("librdkafka \(facility): \(message)") }
        let opened = try Admin(settings.client, events: events)
        admin.withLock { $0 = opened }
        return opened
    }
}
