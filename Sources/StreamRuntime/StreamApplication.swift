import KafkaClient
import Logging
import RocksStore
import Synchronization

/// A worker: checks its topics, then runs its stream threads until it is stopped.
public final class StreamApplication: Sendable {
    public let health = StreamHealth()
    public let tasks: TaskDirectory
    /// What this instance stands by for.
    public let standbys = StandbyDirectory()
    /// Which instance of the group has which partition.
    public let ownership: PartitionOwnership
    private let settings: StreamSettings
    private let topology: Topology
    private let logger: Logger
    private let stop = StopSignal()
    private let foundTopics = Mutex<TopicCatalog?>(nil)
    private let openedStores = Mutex<StorePool?>(nil)

    /// The topics as they were found at the start; nil before that.
    public var topics: TopicCatalog? { foundTopics.withLock { $0 } }

    /// RocksDB's own figures; nil before the state directory is open. May wait for RocksDB: not for the cooperative pool.
    public var storeFigures: StoreFigures? { openedStores.withLock { $0 }?.figures }

    /// - Parameter onPartitionLeft: called when a partition has left this process, on the thread that had it, which it must not block.
    public init(
        settings: StreamSettings,
        topology: Topology,
        logger: Logger,
        onPartitionLeft: @escaping @Sendable () -> Void = {}
    ) {
        self.settings = settings
        tasks = TaskDirectory(onRemoval: onPartitionLeft)
        self.topology = topology
        self.logger = logger
        let coordinator = GroupCoordinator(settings, logger: logger)
        ownership = PartitionOwnership(logger: logger) { () throws(KafkaError) in try coordinator.describe() }
    }

    /// Makes `run` end: threads commit and leave the group. Safe from any thread, and more than once.
    public func requestStop() { stop.request() }

    /// Works until `requestStop`. A broker that cannot be reached is retried for ever.
    ///
    /// - Parameter server: where this instance answers questions about its state, for the others of the group: Kafka Streams'
    ///   `application.server` (KIP-67). Nil: nowhere.
    /// - Throws: `.incompatible` when topics or state do not fit, `.refusedSettings`: the sentence says what to do. A thread that fails in another way
    ///   ends alone, and `health` tells.
    public func run(server: String? = nil) async throws(StreamError) {
        let prepared = await onOwnThread("topics") { [self] in
            Result { () throws(StreamError) in
                try settings.checkClients()
                return try TopicManager(
                    settings: settings,
                    topology: topology,
                    health: health,
                    logger: logger,
                    stop: stop
                )
                .prepare()
            }
        }
        guard let catalog = try prepared.get() else { return }
        let opened = await onOwnThread("state") { [self] in
            Result { () throws(StreamError) in try openStateDirectory() }
        }
        guard let directory = try opened.get() else { return }
        foundTopics.withLock { $0 = catalog }
        let name = settings.groupInstanceID ?? directory.processID
        ownership.started(as: StreamInstance(name: name, server: server))
        let clock = SteadyClock()
        let state = ApplicationState(
            settings: settings,
            topology: topology,
            catalog: catalog,
            tasks: tasks,
            standbys: standbys,
            health: health,
            clock: WallClock { clock.now() },
            logger: logger,
            stop: stop,
            directory: directory,
            ownership: ownership
        )
        openedStores.withLock { $0 = state.stores }
        health.prepared(threads: settings.threads)
        let failure = await withTaskGroup(of: StreamError?.self) { group in
            for number in 0..<settings.threads {
                group.addTask { await onOwnThread("stream-\(number)") { StreamApplication.runThread(state, number) } }
            }
            group.addTask {
                await onOwnThread("maintenance") { Maintenance(state, clock).run() }
                return nil
            }
            if settings.standbyReplicas > 0 {
                group.addTask {
                    await onOwnThread("standby") { StandbyThread(state).run() }
                    return nil
                }
            }
            var failure: StreamError?
            for await error in group {
                switch error {
                case .incompatible, .fenced, .refusedSettings:
                    failure = error
                    self.stop.request()
                default: break
                }
            }
            return failure
        }
        ownership.stop()
        await onOwnThread("stores") { state.stores.closeAll() }
        if let failure { throw failure }
    }

    private var statePath: String { "\(settings.stateDirectory)/\(settings.applicationID)" }

    /// Makes the state directory, so that a wrong `state.dir` is told at once, and not only when Kafka answers.
    ///
    /// - Throws: `.refusedSettings`. A full disk is none: `run` waits for room.
    public func checkStateDirectory() throws(StreamError) {
        do {
            try StateDirectory.make(statePath)
        } catch {
            guard case .store = error else { throw error }
        }
    }

    /// Waits for room on a full disk, as a thread does whose store cannot be written: to end and be started again and again would help
    /// nobody. Nil: asked to stop meanwhile.
    private func openStateDirectory() throws(StreamError) -> StateDirectory? {
        while stop.requestedAt == nil {
            do {
                let directory = try StateDirectory(path: statePath, patience: 5)
                health.setStateProblem(nil)
                return directory
            } catch {
                guard case .store = error else { throw error }
                if health.setStateProblem("\(error)") { logger.critical("cannot start until there is room: \(error)") }
                stop.wait(seconds: StreamApplication.fullDiskDelay)
            }
        }
        return nil
    }

    /// Seconds between two looks at a full disk.
    private static let fullDiskDelay = 2.0

    /// A member that is fenced again within this has a double.
    private static let doubleSeconds = 20.0

    /// Returns what ended the thread, if it was not the wish to stop.
    ///
    /// A thread whose store cannot be written leaves the group, so that others can have its partitions, and joins again when it can.
    ///
    /// A static member joins again, too, when it is fenced: librdkafka 2.0.2 does that to itself when it goes on sending heartbeats after
    /// its session has timed out. One that is fenced again soon has a double, and stops.
    private static func runThread(_ state: ApplicationState, _ number: Int) -> StreamError? {
        var delay = 5.0
        while true {
            let startedAt = monotonicSeconds()
            do throws(StreamError) {
                try StreamThread(state, number: number).run()
                return nil
            } catch {
                if case .fenced = error, monotonicSeconds() - startedAt > doubleSeconds {
                    state.logger.warning("stream thread \(number) joins the group again: \(error)")
                    state.health.revived(thread: number)
                    continue
                }
                state.health.died(thread: number, reason: "\(error)")
                guard case .store(let reason) = error, ![.incompatible, .invalidArgument].contains(reason.kind) else {
                    state.logger.critical("stream thread \(number) stops: \(error)")
                    return error
                }
                state.logger.critical(
                    "stream thread \(number) has left the group until its disk can be written: \(error)"
                )
            }
            // Each attempt moves partitions to and fro, so they become rarer.
            repeat { state.waitUnlessStopping(seconds: delay) } while !state.isStopping && !state.directory.isWritable
            if state.isStopping { return nil }
            delay = min(delay * 2, 60)
            state.logger.notice("stream thread \(number) joins the group again")
            state.health.revived(thread: number)
        }
    }
}
