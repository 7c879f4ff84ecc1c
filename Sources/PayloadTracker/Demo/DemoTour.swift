import Foundation
import ServiceLifecycle
import StreamRuntime

/// What the demo shows: traffic and its outcomes as they happen, then three payloads looked up. Ends the demo when it returns.
struct DemoTour: Service {
    let settings: Settings
    let payloads: Int
    let seed: UInt64
    let keepRunning: Bool
    /// Gives the port of the endpoint once it listens.
    let ports: AsyncStream<Int>

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await show()
        } onGracefulShutdown: {
            Interruption.request()
        }
    }

    private func show() async throws {
        guard let port = await ports.first(where: { _ in true }) else { return }
        let url = settings.listenURL(port: port)
        let authorities = try TrustedAuthorities(settings.httpTLSCAFile)
        let endpoint = try PayloadEndpoint(url, token: settings.httpToken, authorities: authorities)
        print(
            "Payload Tracker demo. Kafka is a stand-in here: librdkafka's mock cluster, in this process and in memory,"
        )
        print(
            "at \(settings.kafka.bootstrapServers). The worker answers at \(url), browsers too. The first join of a group takes 3 s.\n"
        )
        Interruption.install()
        let (settings, payloads, seed) = (settings, payloads, seed)
        let result = await onOwnThread("demo") {
            Result { () throws(CommandFailure) in
                try DemoTraffic(settings, payloads: payloads, seed: seed).run()
            }
        }
        let shown = try result.get()
        if Interruption.isRequested { return }
        try await lookUp("A payload that completed", shown.completed, url, endpoint)
        try await lookUp("A payload that failed", shown.failed, url, endpoint)
        try await lookUp("A payload that nobody has heard of", "00000000000000000000000000000000", url, endpoint)
        print(
            "Dead letters: \(settings.topicsDeadLetter). Outcome events: \(settings.topicsOutcomes). Metrics: curl -s \(url)/metrics"
        )
        if keepRunning {
            print("\nGoing on until Ctrl-C. From another terminal: payload-tracker get ID --url \(url)")
            let failure = await onOwnThread("demo") {
                Result { () throws(CommandFailure) in try DemoTraffic.goOn(settings, seed: seed) }
            }
            try failure.get()
        }
    }

    private func lookUp(_ title: String, _ id: String, _ url: String, _ endpoint: PayloadEndpoint) async throws {
        print("\n\(title):\n  curl -s \(url)/v1/payloads/\(id)")
        do throws(CommandFailure) {
            let document = try await endpoint.payload(id, wait: nil)
            print(String(decoding: document, as: UTF8.self))
            print("\n  payload-tracker get \(id) --url \(url)")
            print(try PayloadTimeline(document).text(Terminal.standardOutput))
        } catch {
            guard error.exitCode == 4 else { throw error }
            print("404: \(error)\n")
        }
    }
}
