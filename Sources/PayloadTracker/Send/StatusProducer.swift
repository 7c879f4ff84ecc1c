import KafkaClient

/// Writes status messages to the input topic, without a key as all real producers do. Belongs to one thread.
final class StatusProducer {
    let topic: String
    private let brokers: String
    private let producer: Producer
    private let producerTopic: ProducerTopic
    private let deliveries = Deliveries()

    /// How long a message may wait for a broker, unless the settings say otherwise.
    private static let messageTimeoutMilliseconds = "30000"

    /// Does not wait for a broker.
    init(_ settings: Settings) throws(CommandFailure) {
        topic = settings.topicsInput
        brokers = settings.kafka.bootstrapServers
        let configuration = ClientConfiguration([
            "message.timeout.ms": Self.messageTimeoutMilliseconds,
            // A status message may have 1 MiB, and the library's own limit is less.
            "message.max.bytes": "\(2 << 20)",
        ])
        .merging(ClientConfiguration(settings.kafka.values))
        do {
            producer = try Producer(configuration, delivery: deliveries)
            producerTopic = try producer.topic(settings.topicsInput)
        } catch {
            throw CommandFailure("kafka: \(error.message)", exitCode: 2)
        }
    }

    /// Messages that are known to be written.
    var writtenCount: Int { deliveries.writtenCount }

    /// Queues the message; waits while the queue is full. Throws what became of an earlier message too.
    func send(_ value: [UInt8]) throws(CommandFailure) {
        while true {
            do throws(KafkaError) {
                try value.span.withUnsafeBytes { bytes throws(KafkaError) in
                    try producer.produce(to: producerTopic, key: nil, value: bytes)
                }
                return wait(.zero)
            } catch let error where error.code == .queueFull {
                wait(.milliseconds(100))
                try throwFirstFailure()
            } catch {
                waitForDeliveries()
                throw failure(error)
            }
        }
    }

    /// Lets time pass, or less of it when something happens to what was sent.
    func wait(_ duration: Duration) {
        producer.poll(timeout: duration)
    }

    /// Waits until it is known of every message what became of it.
    func finish() throws(CommandFailure) {
        waitForDeliveries()
        try throwFirstFailure()
    }

    private func waitForDeliveries() {
        while producer.outstandingCount > 0 { producer.poll(timeout: .milliseconds(100)) }
    }

    func throwFirstFailure() throws(CommandFailure) {
        if let error = deliveries.firstFailure { throw failure(error) }
    }

    private func failure(_ error: KafkaError) -> CommandFailure {
        let reason = error.message.trimmingPrefix("\(topic): ")
        // A topic that is missing, and a broker that is not there, both show as silence.
        let hint = error.code == .messageTimedOut ? "; is there such a topic, and a broker at \(brokers)?" : ""
        return CommandFailure("cannot write to \(topic): \(reason); \(writtenCount) written before\(hint)")
    }
}

/// Counts what became of the messages.
private final class Deliveries: DeliveryListener {
    let hearsOfUnmarkedSuccess = true
    private(set) var writtenCount = 0
    private(set) var firstFailure: KafkaError?

    func delivered(_ report: borrowing DeliveryReport) {
        if let error = report.error {
            firstFailure = firstFailure ?? error
        } else {
            writtenCount += 1
        }
    }
}
