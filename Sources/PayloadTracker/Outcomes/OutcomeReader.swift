import KafkaClient
import Logging
import QueryService

/// Reads the outcomes topic from its end into the hub's ring, for as long as the hub wants.
struct OutcomeReader {
    private let hub: OutcomeHub
    private let decoder = OutcomeRecordDecoder()

    private static let lookupTimeout = Duration.seconds(10)

    init(_ hub: OutcomeHub) { self.hub = hub }

    /// Blocks.
    func run() {
        do throws(KafkaError) {
            let consumer = try Consumer(hub.configuration.reader, events: hub.clientEvents)
            defer { consumer.close() }
            let ends = try ends(consumer)
            try consumer.assign(ends.partitions)
            hub.readerStarted(at: ends.position)
            try read(consumer)
        } catch {
            hub.logger.warning("outcomes cannot be read for those who listen: \(error)")
            hub.readerEnded(
                because: .unavailable(reason: "the outcomes topic cannot be read now", retryAfterSeconds: 5)
            )
        }
    }

    /// Where the committed records end now. Not a wish for the end, which would be looked up later: listeners are told a position.
    private func ends(_ consumer: Consumer) throws(KafkaError)
        -> (partitions: [TopicPartition: Int64], position: OutcomePosition)
    {
        let topic = hub.configuration.topic
        guard let count = try consumer.partitionCount(of: topic, timeout: OutcomeReader.lookupTimeout) else {
            throw KafkaError(.unknownTopicOrPartition, "\(topic) does not exist")
        }
        let partitions = (0..<Int32(count)).map { TopicPartition(topic: topic, partition: $0) }
        let wish = Dictionary(uniqueKeysWithValues: partitions.map { ($0, Consumer.offsetEnd) })
        let ends = try consumer.offsets(at: wish, timeout: OutcomeReader.lookupTimeout)
        let offsets = partitions.compactMap { ends[$0] }
        guard offsets.count == count else { throw KafkaError(.unknownPartition, "\(topic): its ends cannot be found") }
        return (ends, OutcomePosition(nextOffsets: offsets))
    }

    private func read(_ consumer: Consumer) throws(KafkaError) {
        var rungAt = ContinuousClock.now
        while hub.readerGoesOn() {
            if ContinuousClock.now - rungAt > .seconds(1) {
                hub.ring()
                rungAt = .now
            }
            guard let event = consumer.poll(timeout: .milliseconds(100)) else { continue }
            switch consume event {
            case .record(let record):
                if let outcome = decoder.outcome(record) { hub.append(outcome) }
            case .partitionEnd: break
            case .error(let error, _):
                if error.kind == .fatal { throw error }
                hub.logger.debug("outcomes: \(error)")
            }
        }
    }
}

extension OutcomeHub.Configuration {
    /// A consumer that reads by itself and commits nothing.
    var reader: ClientConfiguration {
        let tuning: ClientConfiguration = [
            "fetch.wait.max.ms": "100",
            // Read ahead for each: what is not taken yet waits at the broker.
            "queued.max.messages.kbytes": "8192", "queued.min.messages": "1000",
        ]
        return tuning.merging(client).merging([
            "group.id": groupID,
            "isolation.level": "read_committed",
            // For what has left the log meanwhile.
            "auto.offset.reset": "earliest",
        ])
    }
}

extension OutcomeHub {
    var clientEvents: ClientEvents {
        var events = ClientEvents()
        events.log = { [logger] _, facility, message in logger.debug("librdkafka \(facility): \(message)") }
        events.error = { [logger] error in logger.debug("outcomes: \(error)") }
        return events
    }
}
