import KafkaClient
import Logging
import RocksStore
import Synchronization

/// A worker: checks its topics, then runs its stream threads until it is stopped.
public final class StreamApplication: Sendable {
    public let health = StreamHealth()
    public let tasks = TaskDirectory()
    private let settings: StreamSettings
    private let topology: Topology
    private let clock: WallClock
    private let logger: Logger
    private let stop = StopSignal()
    private let foundTopics = Mutex<TopicCatalog?>(nil)

    /// The topics as they were found at the start; nil before that.
    public var topics: TopicCatalog? { foundTopics.withLock { $0 } }

    public init(settings: StreamSettings, topology: Topology, clock: WallClock = .system, logger: Logger) {
        self.settings = settings
        self.topology = topology
        self.clock = clock
        self.logger = logger
    }

    /// Makes `run` end: threads commit and leave the group. Safe from any thread, and more than once.
    public func requestStop() { stop.request() }

    /// Works until `requestStop`. A broker that cannot be reached is retried for ever.
    ///
    /// - Throws: `.incompatible` when topics or state do not fit: the sentence says what to do. A thread that fails in another way
    ///   ends alone, and `health` tells.
    public func run() async throws(StreamError) {
        let prepared = await onOwnThread("topics") { [self] in
            Result { () throws(StreamError) in
                try TopicManager(settings: settings, topology: topology, health: health, logger: logger, stop: stop)
                    .prepare()
            }
        }
        guard let catalog = try prepared.get() else { return }
        foundTopics.withLock { $0 = catalog }
        let state = ApplicationState(
            settings: settings,
            topology: topology,
            catalog: catalog,
            tasks: tasks,
            health: health,
            clock: clock,
            logger: logger,
            stop: stop
        )
        health.prepared(threads: settings.threads)
        let failure = await withTaskGroup(of: StreamError?.self) { group in
            for number in 0..<settings.threads {
                group.addTask { await onOwnThread("stream-\(number)") { StreamApplication.runThread(state, number) } }
            }
            group.addTask {
                await onOwnThread("maintenance") { Maintenance(state).run() }
                return nil
            }
            var failure: StreamError?
            for await error in group {
                if case .incompatible = error {
                    failure = error
                    self.stop.request()
                }
            }
            return failure
        }
        state.stores.closeAll()
        if let failure { throw failure }
    }

    /// Returns what ended the thread, if it was not the wish to stop.
    private static func runThread(_ state: ApplicationState, _ number: Int) -> StreamError? {
        do throws(StreamError) {
            try StreamThread(state, number: number).run()
            return nil
        } catch {
            state.health.died(thread: number, reason: "\(error)")
            state.logger.critical("stream thread \(number) stops: \(error)")
            return error
        }
    }
}
