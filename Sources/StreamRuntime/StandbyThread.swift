import Foundation
import KafkaClient
import Logging
import RocksStore

/// The OS thread that follows the changelogs of tasks of other instances into stores of its own, as Kafka Streams' standby tasks do. It
/// belongs to no group, processes nothing, fires no timers and writes nothing to Kafka. All of it is called on that thread.
///
/// A store has one owner in the `StorePool`. As soon as a stream thread of this process is assigned the partition, this one lets go of its
/// store, which the stream thread then finds nearly complete; after a revocation it takes the store over where it was left.
final class StandbyThread {
    private let application: ApplicationState
    private let logger: Logger
    private let restorer: Restorer
    private var lookup: OffsetLookup
    /// What this instance should stand by for, by the ownership map's version.
    private var wanted: Set<TaskID> = []
    private var mapVersion = 0
    private var tasks: [TaskID: StreamTask] = [:]
    /// Tasks whose stores went to a stream thread, and are shown as the standby left them until their task runs.
    private var handedOver: Set<TaskID> = []
    /// Monotonic seconds before which no store is opened.
    private var retryAt = 0.0
    /// Monotonic seconds before which the stores of single tasks are not opened, whose store or changelog is at fault.
    private var asideUntil: [TaskID: Double] = [:]

    private static let lookupTimeout = Duration.seconds(2)
    private static let retrySeconds = 1.0
    /// After something that another attempt will hardly mend.
    private static let longRetrySeconds = 60.0
    /// Below the stream threads.
    private static let niceness: Int32 = 5

    init(_ application: ApplicationState) {
        self.application = application
        logger = application.logger
        restorer = Restorer(
            application.settings.readerConfiguration(isolation: "read_committed"),
            events: application.events,
            catalog: application.catalog,
            logger: application.logger,
            follows: true
        )
        lookup = OffsetLookup(
            application.settings.readerConfiguration(isolation: "read_uncommitted"),
            events: application.events
        )
    }

    /// Works until the application stops.
    func run() {
        Database.stopCountingForThread()
        // On Linux this is about the calling thread alone.
        _ = nice(StandbyThread.niceness)
        while !application.isStopping {
            do throws(StreamError) { try step() } catch { failed(error) }
        }
        for task in tasks.values { application.stores.release(task) }
        restorer.close()
        lookup.close()
    }

    private func step() throws(StreamError) {
        let map = application.ownership.map
        if map.version != mapVersion {
            mapVersion = map.version
            wanted = application.standbyTasks(by: map)
        }
        letGo()
        if monotonicSeconds() >= retryAt { try openMissing() }
        if tasks.isEmpty {
            // Its consumer would go on fetching.
            restorer.close()
            return application.waitUnlessStopping(seconds: 0.2)
        }
        _ = try restorer.step()
        publish()
    }

    private func isAssigned(_ id: TaskID) -> Bool { state(of: id) != nil }

    private func state(of id: TaskID) -> TaskDirectory.State? {
        application.tasks.store(topic: id.topic, partition: id.partition).state
    }

    /// Of what a stream thread has, and of what another instance stands by for now.
    private func letGo() {
        for (id, task) in tasks {
            let isAssigned = isAssigned(id)
            if !isAssigned && wanted.contains(id) { continue }
            drop(task)
            application.stores.release(task)
            logger.info("\(id): no longer stands by\(isAssigned ? ": it is assigned to this instance" : "")")
            if isAssigned { handedOver.insert(id) } else { application.standbys.remove(id) }
        }
        for id in handedOver {
            let state = state(of: id)
            if state != nil && state != .running { continue }
            handedOver.remove(id)
            application.standbys.remove(id)
        }
    }

    private func drop(_ task: StreamTask) {
        restorer.remove(task)
        tasks[task.id] = nil
    }

    private func publish() {
        for task in tasks.values {
            guard let store = task.store, let position = restorer.position(of: task) else { continue }
            let progress = StandbyDirectory.Progress(
                position: position,
                lag: restorer.remaining(of: task),
                isComplete: restorer.isFollowing(task)
            )
            application.standbys.update(task.id, progress, store: store.database)
        }
    }

    // MARK: Opening

    private func openMissing() throws(StreamError) {
        var missing: [StreamTask] = []
        asideUntil = asideUntil.filter { $0.value > monotonicSeconds() }
        for id in wanted where tasks[id] == nil && asideUntil[id] == nil && !isAssigned(id) {
            guard let source = application.topology.sources.first(where: { $0.topic == id.topic }) else { continue }
            missing.append(StreamTask(id: id, source: source, isStandby: true))
        }
        if missing.isEmpty { return }
        defer { lookup.close() }
        // Unless all of them can be opened.
        retryAt = monotonicSeconds() + StandbyThread.retrySeconds
        let changelogs = missing.compactMap(\.changelog)
        let starts = try lookup.starts(of: changelogs, timeout: StandbyThread.lookupTimeout)
        let ends = try lookup.ends(of: changelogs, timeout: StandbyThread.lookupTimeout)
        for task in missing {
            guard let changelog = task.changelog, let start = starts[changelog], let end = ends[changelog] else {
                continue
            }
            do {
                try open(task, changelog, start...max(start, end))
            } catch {
                switch error {
                case .kafka(let reason) where reason.kind == .retriable:
                    logger.debug("\(task.id): cannot stand by yet: \(reason)")
                case .store(let reason) where reason.kind == .corruption && rebuild(task, reason): break
                case .store, .incompatible, .refusedSettings: setAside(task, error)
                case .kafka, .stopped, .fenced: throw error
                }
            }
        }
        if missing.allSatisfy({ tasks[$0.id] != nil }) { retryAt = 0 }
    }

    private func open(_ task: StreamTask, _ changelog: TopicPartition, _ offsets: ClosedRange<Int64>)
        throws(StreamError)
    {
        guard let state = task.source.state, let count = application.catalog[state.changelog]?.partitionCount else {
            return
        }
        let (store, offset) = try application.stores.acquire(
            task,
            state: state,
            partitionCount: count,
            within: offsets,
            currentEnd: { () throws(StreamError) in
                try lookup.ends(of: [changelog], timeout: StandbyThread.lookupTimeout)[changelog] ?? offsets.upperBound
            }
        )
        task.store = store
        tasks[task.id] = task
        let range = Restorer.ChangelogRange(partition: changelog, start: offset, end: offsets.upperBound)
        try restorer.add(task, state, store: store, range)
    }

    // MARK: Failures

    private func failed(_ error: StreamError) {
        switch error {
        case .stopped: return
        case .kafka(let reason):
            // Whether brokers can be reached is said elsewhere, once.
            logger.log(level: reason.kind == .retriable ? .debug : .warning, "standing by: \(reason)")
            retryAt = monotonicSeconds() + StandbyThread.retrySeconds
            application.waitUnlessStopping(seconds: StandbyThread.retrySeconds)
        case .store, .incompatible, .fenced, .refusedSettings:
            guard let task = restorer.lastTask, tasks[task.id] === task else {
                logger.error("stands by for nothing for a minute: \(error)")
                for task in tasks.values { close(task) }
                retryAt = monotonicSeconds() + StandbyThread.longRetrySeconds
                return
            }
            if case .store(let reason) = error, reason.kind == .corruption, rebuild(task, reason) { return }
            setAside(task, error)
        }
    }

    /// Leaves alone for a while what is wrong with one task: the others are stood by for all the same.
    private func setAside(_ task: StreamTask, _ error: StreamError) {
        logger.error("\(task.id): does not stand by for a minute: \(error)")
        close(task)
        asideUntil[task.id] = monotonicSeconds() + StandbyThread.longRetrySeconds
    }

    /// RocksDB refuses writes after an error until the store is opened again.
    private func close(_ task: StreamTask) {
        drop(task)
        application.stores.close(task)
        application.standbys.remove(task.id)
    }

    /// Begins a damaged store anew. Returns whether that was possible.
    private func rebuild(_ task: StreamTask, _ error: StoreError) -> Bool {
        // Of one that could not be opened, another thread may have the store by now.
        guard tasks[task.id] === task, error.path == application.stores.path(task.id) else { return false }
        logger.error("\(task.id): \(error); rebuilding the standby's store from the changelog")
        drop(task)
        application.standbys.remove(task.id)
        do throws(StreamError) { try application.stores.destroy(task.id) } catch { return false }
        return true
    }
}

extension ApplicationState {
    /// The tasks with a store that this instance should stand by for.
    fileprivate func standbyTasks(by map: OwnershipMap) -> Set<TaskID> {
        guard let own = ownership.own else { return [] }
        var found: Set<TaskID> = []
        for source in topology.sources where source.state != nil {
            guard let count = catalog[source.topic]?.partitionCount else { continue }
            let standbys = map.standbys(
                topic: source.topic,
                partitionCount: count,
                replicas: settings.standbyReplicas
            )
            for (partition, instances) in standbys where instances.contains(where: { $0.name == own.name }) {
                found.insert(TaskID(topic: source.topic, partition: partition))
            }
        }
        return found
    }
}
