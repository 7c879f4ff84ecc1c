import KafkaClient
import Logging

/// What has to be done from time to time beside the stream threads: deletes folded records from internal topics, closes stores that were
/// left and flushes the others, looks whether the brokers are back, steers the clock.
struct Maintenance: ~Copyable {
    private let state: ApplicationState
    private var lastPurge = monotonicSeconds()
    private var lastFlush = monotonicSeconds()
    private var purged: [TopicPartition: Int64] = [:]
    private var admin: Admin?
    private let clock: SteadyClock
    private var isClockOff = false

    /// Seconds. Under load stores are flushed far more often, because their write buffers are full.
    private static let flushInterval = 600.0
    /// Microseconds. What time servers adjust is far less.
    private static let clockJump: Int64 = 10_000_000

    init(_ state: ApplicationState, _ clock: SteadyClock) {
        self.state = state
        self.clock = clock
    }

    /// Until the application stops.
    consuming func run() {
        while !state.isStopping {
            state.waitUnlessStopping(seconds: 1)
            state.stores.closeIdle()
            if monotonicSeconds() - lastFlush >= Maintenance.flushInterval {
                lastFlush = monotonicSeconds()
                state.stores.flush { [state] in state.isStopping }
            }
            steerClock()
            checkBrokers()
            if monotonicSeconds() - lastPurge >= state.settings.purgeInterval / .seconds(1) {
                lastPurge = monotonicSeconds()
                purge()
            }
        }
    }

    private mutating func steerClock() {
        let behind = clock.steer()
        if !isClockOff && abs(behind) > Maintenance.clockJump {
            isClockOff = true
            let way = behind > 0 ? "forward" : "back"
            state.logger.warning(
                "the system's clock was set \(way) by \(abs(behind) / 1_000_000) s: timers follow it at \(behind > 0 ? "double" : "half") speed"
            )
        } else if isClockOff && behind == 0 {
            isClockOff = false
            state.logger.notice("timers have caught up with the system's clock")
        }
    }

    private mutating func openedAdmin() throws(KafkaError) -> Admin {
        if let admin { return admin }
        let opened = try Admin(state.settings.client, events: state.events)
        admin = opened
        return opened
    }

    private mutating func checkBrokers() {
        guard !state.health.isBrokerReachable else { return }
        do {
            _ = try openedAdmin().describeTopics([state.topology.topics[0].name], timeout: .seconds(2))
            if state.health.setBrokerReachable(true) { state.logger.notice("Kafka can be reached again") }
        } catch {
            state.logger.debug("looking for Kafka: \(error)")
        }
    }

    /// The repartition topic is created with unlimited retention: records leave it when they are committed, as in Kafka Streams.
    private mutating func purge() {
        let isInternal = Set(state.topology.topics.filter { $0.role == .internal }.map(\.name))
        var offsets: [TopicPartition: Int64] = [:]
        for source in state.topology.sources where isInternal.contains(source.topic) {
            offsets.merge(state.tasks.committedOffsets(topic: source.topic)) { $1 }
        }
        offsets = offsets.filter { $0.value > purged[$0.key] ?? 0 }
        if offsets.isEmpty { return }
        do {
            _ = try openedAdmin().deleteRecords(before: offsets, timeout: .seconds(10))
            purged.merge(offsets) { $1 }
        } catch {
            state.logger.debug("could not purge folded records: \(error)")
        }
    }
}
