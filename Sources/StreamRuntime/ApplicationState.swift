import Foundation
import KafkaClient
import Logging
import Synchronization

/// What the threads of an application share.
final class ApplicationState: Sendable {
    let settings: StreamSettings
    let topology: Topology
    let catalog: TopicCatalog
    let directory: StateDirectory
    let ownership: PartitionOwnership
    let stores: StorePool
    let tasks: TaskDirectory
    let standbys: StandbyDirectory
    let health: StreamHealth
    let clock: WallClock
    let logger: Logger
    private let stop: StopSignal

    /// How long a stopping thread waits for a broker before it leaves its uncommitted work to the next start.
    private static let stopGraceSeconds = 4.0

    init(
        settings: StreamSettings,
        topology: Topology,
        catalog: TopicCatalog,
        tasks: TaskDirectory,
        standbys: StandbyDirectory,
        health: StreamHealth,
        clock: WallClock,
        logger: Logger,
        stop: StopSignal,
        directory: StateDirectory,
        ownership: PartitionOwnership
    ) {
        self.settings = settings
        self.topology = topology
        self.catalog = catalog
        self.tasks = tasks
        self.standbys = standbys
        self.health = health
        self.clock = clock
        self.logger = logger
        self.stop = stop
        self.directory = directory
        self.ownership = ownership
        stores = StorePool(settings, directory: directory, logger: logger)
    }

    var isStopping: Bool { stop.requestedAt != nil }
    var mustStopNow: Bool {
        stop.requestedAt.map { monotonicSeconds() - $0 > ApplicationState.stopGraceSeconds } ?? false
    }

    func waitUnlessStopping(seconds: Double) { stop.wait(seconds: seconds) }

    var events: ClientEvents {
        health.clientEvents(logger: logger, brokers: settings.client["bootstrap.servers"] ?? "")
    }

    /// Seconds. A transaction that is open for longer than a share of its timeout might not live to be committed.
    var longestCommitInterval: Double {
        let interval = settings.commitInterval / .seconds(1)
        let isTransactional = settings.guarantee == .exactlyOnce
        return isTransactional ? min(interval, settings.transactionTimeout / .seconds(1) / 4) : interval
    }

    /// The producers of a stream thread. The transactional id is the same after a restart, so that the first thing a restarted
    /// process does is to end what the crashed one left open; else everyone would wait for that to time out.
    func collectorSettings(thread: Int) -> RecordCollector.Settings {
        let member = settings.groupInstanceID ?? directory.processID
        let id = "\(settings.applicationID)-\(member)-\(thread)"
        return RecordCollector.Settings(
            client: settings.client,
            transactionalID: settings.guarantee == .exactlyOnce ? id : nil,
            transactionTimeout: settings.transactionTimeout / .seconds(1)
        )
    }
}

extension StreamSettings {
    /// Records of all partitions together that a stream thread's consumer has waiting before it stops fetching.
    static let queuedRecords = 10_000
    /// That it takes of one partition at once, as they are stored.
    static let fetchBytes = 256 << 10

    /// The consumer of a stream thread.
    ///
    /// - Parameter instance: what it tells the group of itself; nil: nothing.
    func groupConfiguration(thread: Int, of instance: StreamInstance? = nil) -> ClientConfiguration {
        var tuning: ClientConfiguration = [
            "heartbeat.interval.ms": "\(max(sessionTimeout.milliseconds / 10, 1))",
            // The further apart partitions are read, the further apart are a payload's messages, and the more often it is read and written.
            // So little is read ahead, and of each partition little at once. A producer's batch that is larger than that comes alone in its
            // fetch; `RecordCollector` sends none to the repartition topic.
            "queued.min.messages": "\(StreamSettings.queuedRecords)",
            "max.partition.fetch.bytes": "\(StreamSettings.fetchBytes)",
            "queued.max.messages.kbytes": "65536",
            "fetch.wait.max.ms": "100",
        ]
        // The same setting has two names.
        if client["fetch.message.max.bytes"] != nil { tuning["max.partition.fetch.bytes"] = nil }
        var values = [
            "group.id": applicationID,
            "session.timeout.ms": "\(sessionTimeout.milliseconds)",
            // Tasks seek to where they start; this is for what has left the log meanwhile.
            "auto.offset.reset": "earliest",
            // Eager: cooperative-sticky has too many bugs in librdkafka 2.0.2.
            "partition.assignment.strategy": "range",
        ]
        if let instance {
            values["client.id"] = instance.clientID(prefix: client["client.id"] ?? applicationID)
        }
        if let id = groupInstanceID { values["group.instance.id"] = "\(id)-\(thread)" }
        return tuning.merging(client).merging(ClientConfiguration(values))
    }

    /// A consumer that reads by itself and commits nothing. The client wants a group all the same.
    func readerConfiguration(isolation: String) -> ClientConfiguration {
        client.merging([
            "group.id": "\(applicationID)-reader",
            "isolation.level": isolation,
            "auto.offset.reset": "earliest",
        ])
    }

    /// Settings that are wrong only together show when a client is made of them; that needs no broker.
    func checkClients() throws(StreamError) {
        do throws(KafkaError) {
            _ = try Admin(client)
            try Consumer(groupConfiguration(thread: 0)).close(timeout: .zero, waits: false)
        } catch {
            throw .refusedSettings(ofClient: error)
        }
    }
}

extension StreamHealth {
    func clientEvents(logger: Logger, brokers: String) -> ClientEvents {
        var events = ClientEvents()
        events.log = { _, facility, message in
            logger.debug("librdkafka \(facility): \(message)")
            guard let refusal = ConnectionRefusal(facility: facility, message: message), self.isNews(refusal) else {
                return
            }
            logger.error("connections to Kafka at \(brokers) fail, and are tried again: \(refusal.reason)")
        }
        events.error = { error in
            if error.code == .allBrokersDown {
                if self.setBrokerReachable(false) {
                    logger.error("Kafka at \(brokers) cannot be reached; trying again until it answers")
                }
            } else {
                logger.debug("librdkafka: \(error)")
            }
        }
        return events
    }
}

/// The request to stop, which every waiting thread sees.
final class StopSignal: Sendable {
    private let time = Mutex<Double?>(nil)

    /// Monotonic seconds.
    var requestedAt: Double? { time.withLock { $0 } }

    func request() {
        time.withLock { time in
            if time == nil { time = monotonicSeconds() }
        }
    }

    /// Blocks the calling thread, not longer than until the request.
    func wait(seconds: Double) {
        let deadline = monotonicSeconds() + seconds
        while requestedAt == nil && monotonicSeconds() < deadline { Thread.sleep(forTimeInterval: 0.05) }
    }
}

extension Duration {
    var milliseconds: Int64 { components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000 }
}
