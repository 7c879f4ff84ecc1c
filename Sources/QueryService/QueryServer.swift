import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle

/// The HTTP endpoint as a service: runs until it is shut down gracefully.
public struct QueryServer: Service {
    /// Where the endpoint listens.
    public struct Configuration: Sendable {
        public var host: String
        /// 0: any free one.
        public var port: Int

        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    private let configuration: Configuration
    private let responder: QueryResponder
    private let logger: Logger
    private let onServerRunning: @Sendable (Int) async -> Void

    /// - Parameter onServerRunning: told the port once the endpoint listens.
    public init(
        configuration: Configuration,
        reader: any PayloadReader,
        health: any HealthReporter,
        metrics: PrometheusMetrics,
        logger: Logger,
        onServerRunning: @escaping @Sendable (Int) async -> Void
    ) {
        self.configuration = configuration
        self.logger = logger
        self.onServerRunning = onServerRunning
        responder = QueryResponder(reader: reader, health: health, metrics: metrics, logger: logger)
    }

    /// Throws `EndpointError` when the address cannot be listened on.
    public func run() async throws {
        do {
            try await application.run()
        } catch let error as IOError {
            throw EndpointError(host: configuration.host, port: configuration.port, reason: error.description)
        }
    }

    /// For tests, too.
    var application: some ApplicationProtocol {
        // Hummingbird tells of its own start and of every connection; what operators need is said elsewhere.
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return Application(
            responder: responder,
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port), serverName: "payload-tracker"),
            onServerRunning: { channel in await onServerRunning(channel.localAddress?.port ?? configuration.port) },
            logger: quiet
        )
    }
}

/// The endpoint cannot listen where it was told to.
public struct EndpointError: Error, Sendable, CustomStringConvertible {
    public let host: String
    public let port: Int
    let reason: String

    public var description: String {
        "cannot listen on \(host):\(port) (\(reason)); set http.host and http.port to an address of this machine and a free port"
    }
}
