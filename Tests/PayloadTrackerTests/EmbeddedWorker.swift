import Foundation
import KafkaClient
import Logging
import PayloadTopology
import StreamRuntime

@testable import PayloadTracker

extension StreamApplication {
    convenience init(_ settings: Settings) {
        self.init(
            settings: settings.streamSettings(createsInput: false),
            topology: settings.topology(observers: PayloadTopology.Observers()),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }
}

/// A worker with a broker and a state directory of its own; `application.run()` starts it.
struct EmbeddedWorker {
    let broker: EmbeddedBroker
    let settings: Settings
    let application: StreamApplication

    init(partitions: Int) throws {
        var settings = Settings()
        let topics = settings.topics
        let names = [topics.input, topics.repartition, topics.changelog, topics.outcomes, topics.deadLetter]
        broker = try EmbeddedBroker(topics: names.map { ($0, partitions) })
        settings.kafka.bootstrapServers = broker.bootstrapServers
        settings.processingGuarantee = .atLeastOnce
        settings.stateDir = FileManager.default.temporaryDirectory.appending(path: "worker-\(UUID().uuidString)").path
        self.settings = settings
        application = StreamApplication(settings)
    }

    func close() {
        broker.close()
        try? FileManager.default.removeItem(atPath: settings.stateDir)
    }
}
