import KafkaClient
import Logging

/// What has to be done from time to time beside the stream threads: deletes folded records from internal topics, closes stores that were
/// left, looks whether the brokers are back.
struct Maintenance: ~Copyable {
    private let state: ApplicationState
    private var lastPurge = monotonicSeconds()
    private var purged: [TopicPartition: Int64] = [:]
    private var admin: Admin?

    init(_ state: ApplicationState) { self.state = state }

    /// Until the application stops.
    consuming func run() {
        while !state.isStopping {
            state.waitUnlessStopping(seconds: 1)
            state.stores.closeIdle()
            checkBrokers()
            if monotonicSeconds() - lastPurge >= state.settings.purgeInterval / .seconds(1) {
                lastPurge = monotonicSeconds()
                purge()
            }
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
