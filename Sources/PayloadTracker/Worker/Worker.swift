import Logging
import QueryService
import ServiceLifecycle
import StreamRuntime

/// The worker and its HTTP endpoint, as `serve` and `demo` run them.
struct Worker {
    let application: StreamApplication
    private let server: QueryServer

    /// - Parameter onServerRunning: told the port once the endpoint listens.
    init(
        settings: Settings,
        createsInput: Bool,
        metrics: PrometheusMetrics,
        logger: Logger,
        onServerRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        application = StreamApplication(
            settings: settings.streamSettings(createsInput: createsInput),
            topology: settings.topology(),
            logger: logger
        )
        let reader = StorePayloadReader(application, settings: settings)
        server = QueryServer(
            configuration: QueryServer.Configuration(host: settings.httpHost, port: settings.httpPort),
            reader: reader,
            health: WorkerHealth(application: application),
            metrics: metrics,
            logger: logger
        ) { port in
            reader.setDefaultURL("http://\(settings.httpHost):\(port)")
            logger.notice("listening on http://\(settings.httpHost):\(port)")
            await onServerRunning(port)
        }
    }

    /// In the order in which they start; they stop in reverse, so that lookups are answered until nothing is left to ask.
    var services: [any Service] { [StreamService(application: application), server] }
}

/// The stream application as a service: a graceful shutdown commits, leaves the group and returns.
private struct StreamService: Service {
    let application: StreamApplication

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await withTaskCancellationHandler {
                try await application.run()
            } onCancel: {
                application.requestStop()
            }
        } onGracefulShutdown: {
            application.requestStop()
        }
    }
}
