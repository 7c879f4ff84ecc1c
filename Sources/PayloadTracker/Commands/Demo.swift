import ArgumentParser
import Foundation
import KafkaClient
import Logging
import Metrics
import PayloadTopology
import QueryService
import ServiceLifecycle
import StreamRuntime

/// Runs everything on an embedded broker, with realistic traffic.
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs everything on an embedded broker, with realistic traffic.",
        discussion: """
            The broker is librdkafka's mock cluster: it lives in this process and in memory, and stands in for Kafka to look at, \
            not to measure.
            """
    )

    @Flag(help: "Go on with endless traffic after the tour, until Ctrl-C.") var keepRunning = false
    @Option(help: "How many payloads the tour sends.") var payloads = 60
    @Option(help: "The same seed gives the same payloads.") var seed: UInt64 = 1
    @OptionGroup(title: "Settings") var options: SettingsOptions

    private static let partitions = 6

    func validate() throws {
        guard (10...2_000).contains(payloads) else { throw ValidationError("--payloads is 10 to 2000") }
    }

    func run() async throws {
        Interruption.exitUntilServing()
        let defaults = Settings.demo
        var settings = try options.settings(defaults: defaults)
        let topics = settings.topics
        let names = [topics.input, topics.repartition, topics.changelog, topics.outcomes, topics.deadLetter]
        let broker = try EmbeddedBroker(topics: names.map { ($0, Demo.partitions) })
        settings.kafka.bootstrapServers = broker.bootstrapServers
        // A directory that the user named is the user's.
        defer { try? FileManager.default.removeItem(atPath: defaults.stateDir) }

        let metrics = PrometheusMetrics.ofWorker()
        MetricsSystem.bootstrap(metrics)
        let logger = LineLogHandler.logger(settings)
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let worker = try await Worker(settings: settings, createsInput: false, metrics: metrics, logger: logger) {
            port.yield($0)
        }
        let tour = DemoTour(settings: settings, payloads: payloads, seed: seed, keepRunning: keepRunning, ports: ports)
        try await WorkerError.run {
            try await ServiceGroup.payloadTracker(worker.services + [tour], logger: logger).run()
        }
        broker.close()
    }
}

extension Settings {
    /// A tour of a minute wants shorter times than production does.
    fileprivate static var demo: Settings {
        var settings = Settings()
        // The embedded broker acknowledges transactions and does not carry them out.
        settings.processingGuarantee = .atLeastOnce
        settings.stateDir =
            FileManager.default.temporaryDirectory.appending(path: "payload-tracker-demo-\(UUID().uuidString)").path
        settings.sessionTimeout = .seconds(6)
        settings.httpPort = 0
        settings.completionSettle = .seconds(2)
        settings.stallAfter = .seconds(6)
        settings.logLevel = .warning
        return settings
    }
}
