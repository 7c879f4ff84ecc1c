import ArgumentParser
import Foundation

/// Writes realistic traffic to the input topic at a steady rate.
///
/// Synchronous, so that it runs on the main thread: it waits for the broker and for the next message's time.
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends realistic status messages at a rate.",
        discussion: "Goes on until --count, --duration or Ctrl-C ends it.",
    )

    @Option(help: "Messages a second.")
    var rate = 50.0

    @Option(help: "How many messages to send.")
    var count: Int?

    @Option(help: "How long to send, such as 30s or 5m.", transform: Self.duration)
    var duration: Duration?

    @Option(help: "How slow payloads are: 1 as in life, 0.1 ten times faster.")
    var timeScale = 1.0

    @Option(help: "The same seed gives the same payloads (default: any).")
    var seed: UInt64?

    @OptionGroup(title: "Settings") var options: SettingsOptions

    func validate() throws {
        guard rate > 0, rate <= 1_000_000 else { throw ValidationError("--rate is more than 0 and at most 1000000") }
        guard timeScale > 0, timeScale <= 1000 else {
            throw ValidationError("--time-scale is more than 0 and at most 1000")
        }
        guard count.map({ $0 >= 0 }) ?? true else { throw ValidationError("--count is not negative") }
    }

    func run() throws {
        let settings = try options.settings()
        let producer = try StatusProducer(settings)
        let seed = seed ?? UInt64.random(in: 0...UInt64(UInt32.max))
        Interruption.install()

        let epoch = Int64(Date().timeIntervalSince1970 * 1_000_000)
        let start = ContinuousClock.now
        var sent = 0
        for message in TrafficGenerator(seed: seed, rate: rate, timeScale: timeScale, epoch: epoch) {
            if sent == count ?? .max { break }
            if let duration, message.time >= duration { break }
            guard try Self.wait(until: start + message.time, producer) else { break }
            try producer.send(message.value)
            sent += 1
        }
        try producer.finish()
        print("sent \(producer.writtenCount) to \(producer.topic) (--seed \(seed))")
    }

    /// False when the user wants to end.
    private static func wait(
        until time: ContinuousClock.Instant,
        _ producer: StatusProducer
    ) throws(CommandFailure) -> Bool {
        while !Interruption.isRequested {
            let remaining = time - .now
            // The client counts whole milliseconds.
            if remaining < .milliseconds(1) { return true }
            producer.wait(min(remaining, .milliseconds(100)))
            try producer.throwFirstFailure()
        }
        return false
    }

    private static func duration(_ text: String) throws -> Duration {
        guard let duration = DurationText.parse(text) else { throw ValidationError(DurationText.hint) }
        return duration
    }
}
