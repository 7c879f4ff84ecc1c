import Foundation
import KafkaClient
import SeededRandom

/// Sends the demo's payloads and prints what comes of them. Belongs to one thread.
final class DemoTraffic {
    /// Ids to look up.
    struct Shown {
        var completed: String
        var failed: String
    }

    private let settings: Settings
    private let producer: StatusProducer
    private let consumer: Consumer
    private let terminal = Terminal.standardOutput
    private let start = ContinuousClock.now
    private var messages: [TrafficMessage]
    private let payloadCount: Int
    private var sent = 0
    private var outcomes: [String: Set<String>] = [:]
    private var deadLetters: [String: Int] = [:]

    /// How long the demo waits for the last outcome.
    private static let patience = Duration.seconds(60)
    /// Payloads arrive over this time.
    private static let arrival = Duration.seconds(12)

    init(_ settings: Settings, payloads: Int, seed: UInt64) throws(CommandFailure) {
        self.settings = settings
        payloadCount = payloads
        producer = try StatusProducer(settings)
        messages = DemoTraffic.messages(payloads: payloads, seed: seed)
        do {
            consumer = try Consumer(["bootstrap.servers": settings.kafka.bootstrapServers, "group.id": "demo-watcher"])
            var partitions: [TopicPartition: Int64] = [:]
            for topic in [settings.topicsOutcomes, settings.topicsDeadLetter] {
                for partition in 0..<(try consumer.partitionCount(of: topic, timeout: .seconds(10)) ?? 0) {
                    partitions[TopicPartition(topic: topic, partition: Int32(partition))] = Consumer.offsetBeginning
                }
            }
            try consumer.assign(partitions)
        } catch {
            throw CommandFailure("the embedded broker: \(error)")
        }
    }

    /// Each sequence of real services at least once, then by how common they are, and some garbage of each kind.
    private static func messages(payloads: Int, seed: UInt64) -> [TrafficMessage] {
        var random = SplitMix64(seed: seed)
        let epoch = Int64(Date().timeIntervalSince1970 * 1_000_000)
        var messages: [TrafficMessage] = []
        let common = TrafficSequence.all.flatMap { Array(repeating: $0, count: $0.weight) }
        for index in 0..<payloads {
            let sequence =
                index < TrafficSequence.all.count
                ? TrafficSequence.all[index] : common[Int.random(in: 0..<common.count, using: &random)]
            let start = arrival * Double.random(in: 0...1, using: &random)
            messages += TrafficPayload(sequence, start: start, epoch: epoch, timeScale: 0.4, using: &random).messages
        }
        for garbage in Garbage.usual {
            let time = arrival * Double.random(in: 0...1, using: &random)
            messages.append(TrafficMessage(time: time, value: garbage.value(using: &random)))
        }
        return messages.sorted { $0.time < $1.time }
    }

    /// Until every payload has an outcome.
    func run() throws(CommandFailure) -> Shown {
        var next = messages[...]
        let total = messages.count
        while !Interruption.isRequested {
            let now = ContinuousClock.now - start
            while let message = next.first, message.time <= now {
                try producer.send(message.value)
                sent += 1
                next = next.dropFirst()
                if sent % 100 == 0 || sent == total {
                    report("sent \(sent) of \(total) status messages, unkeyed", .gray)
                }
            }
            watch()
            let decided = Set(outcomes.values.joined()).count
            if next.isEmpty && decided >= payloadCount { break }
            if now > DemoTraffic.arrival + DemoTraffic.patience {
                throw CommandFailure("only \(decided) of \(payloadCount) payloads have an outcome after \(now)")
            }
        }
        try producer.finish()
        consumer.close()
        summarise()
        return Shown(completed: outcomes["completed"]?.first ?? "", failed: outcomes["failed"]?.first ?? "")
    }

    /// Endless traffic, without a word.
    static func goOn(_ settings: Settings, seed: UInt64) throws(CommandFailure) {
        let producer = try StatusProducer(settings)
        let epoch = Int64(Date().timeIntervalSince1970 * 1_000_000)
        let start = ContinuousClock.now
        for message in TrafficGenerator(seed: seed &+ 1, rate: 50, timeScale: 0.4, epoch: epoch) {
            while !Interruption.isRequested && ContinuousClock.now < start + message.time {
                producer.wait(.milliseconds(20))
            }
            if Interruption.isRequested { break }
            try producer.send(message.value)
        }
        try producer.finish()
    }

    private func watch() {
        producer.wait(.zero)
        guard let event = consumer.poll(timeout: .milliseconds(10)) else { return }
        guard case .record(let record) = consume event else { return }
        if record.topic == settings.topicsOutcomes { outcome(record) } else { deadLetter(record) }
    }

    private struct Event: Decodable {
        struct Reason: Decodable {
            let service: String
            let status_msg: String?
        }

        let type: String
        let payload_id: String
        let services: [String]
        let reason: Reason?
        let duration_ms: Int
    }

    private func outcome(_ record: borrowing ConsumedRecord) {
        guard let value = record.value, let event = try? JSONDecoder().decode(Event.self, from: Data(value)) else {
            return
        }
        let outcome = event.type.replacingOccurrences(of: "payload-", with: "")
        // A payload that recovers, or fails after all, tells again.
        for other in outcomes.keys { outcomes[other]?.remove(event.payload_id) }
        outcomes[outcome, default: []].insert(event.payload_id)
        let why = event.reason.map { "\($0.service)\($0.status_msg.map { ": \($0)" } ?? "")" }
        let text = why ?? "\(event.services.count) services in \(Double(event.duration_ms) / 1_000) s"
        let color: Terminal.Color = outcome == "completed" ? .green : outcome == "failed" ? .red : .yellow
        report("\(outcome.padding(toLength: 11, withPad: " ", startingAt: 0)) \(event.payload_id)  \(text)", color)
    }

    private func deadLetter(_ record: borrowing ConsumedRecord) {
        func header(_ name: String) -> String {
            record.headers.last { $0.name == name }?.value.map { String(decoding: $0, as: UTF8.self) } ?? ""
        }
        deadLetters[header("dlq.reason"), default: 0] += 1
        report("dead letter \(header("dlq.reason")): \(header("dlq.detail"))", .gray)
    }

    private func summarise() {
        print(
            "\nOutcomes: "
                + outcomes.sorted { $0.key < $1.key }.map { "\($0.value.count) \($0.key)" }.joined(separator: ", ")
        )
        print(
            "Dead letters: "
                + deadLetters.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        )
    }

    private func report(_ text: String, _ color: Terminal.Color) {
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let time = seconds.formatted(.number.precision(.fractionLength(1)))
        print("\(time)s  \(terminal.paint(SingleLine.escape(text), color))")
    }
}
