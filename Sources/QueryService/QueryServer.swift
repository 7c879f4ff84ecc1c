import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import ServiceLifecycle

/// The HTTP endpoint as a service: runs until it is shut down gracefully, and answers the requests under way first.
public struct QueryServer: Service {
    /// Where the endpoint listens.
    public struct Configuration: Sendable {
        public var host: String
        /// 0: any free one.
        public var port: Int
        /// Nil: without TLS.
        public var certificate: EndpointCertificate?
        /// Requests a second of each client; 0: as many as it likes.
        public var rateLimit: Int
        /// In which a client has to send its first request, and of each request the body.
        package var requestTimeout = TimeAmount.seconds(10)

        public init(host: String, port: Int, certificate: EndpointCertificate? = nil, rateLimit: Int = 0) {
            self.host = host
            self.port = port
            self.certificate = certificate
            self.rateLimit = rateLimit
        }
    }

    private let configuration: Configuration
    private let responder: QueryResponder
    private let logger: Logger
    private let onServerRunning: @Sendable (Int) async -> Void

    /// Further connections wait until one of these ends. Many only wait for a payload, which costs some 20 KiB each.
    private static let maxConnections = 4_096
    /// After which a connection without a request under way is closed.
    private static let idleTimeout = TimeAmount.seconds(60)
    /// Of a request's header; a longer one is answered with a bare 400 by Hummingbird, before anything here sees it.
    private static let headerLimits = HTTP1Channel.Configuration.DecoderConfiguration(
        maxHeaderFieldSize: 16 << 10,
        maxHeaderListSize: 32 << 10,
        maxHeaderFieldCount: 100
    )

    /// - Parameters:
    ///   - peers: the other instances; nil: there are none.
    ///   - tokens: those of a file that may ask; nil: there is no file.
    ///   - signed: those of an issuer that may ask; nil: there is none. Without either anyone may ask.
    ///   - metrics: what `/metrics` shows; the endpoint's own metrics are added to it.
    ///   - onServerRunning: told the port once the endpoint listens.
    public init(
        configuration: Configuration,
        reader: any PayloadReader,
        lists: any PayloadListReader,
        summary: any SummaryReader,
        watcher: any PayloadWatcher,
        partitions: any PartitionReader,
        outcomes: any OutcomeSource,
        peers: Peers? = nil,
        tokens: AccessTokens? = nil,
        signed: JSONWebTokens? = nil,
        health: any HealthReporter,
        metrics: PrometheusMetrics,
        logger: Logger,
        onServerRunning: @escaping @Sendable (Int) async -> Void
    ) {
        self.configuration = configuration
        self.logger = logger
        self.onServerRunning = onServerRunning
        responder = QueryResponder(
            reader: reader,
            lists: lists,
            summary: summary,
            watcher: watcher,
            partitions: partitions,
            outcomes: outcomes,
            peers: peers,
            access: AccessControl(tokens: tokens, signed: signed),
            rates: configuration.rateLimit > 0 ? RequestRates(perSecond: configuration.rateLimit) : nil,
            health: health,
            metrics: metrics,
            requestMetrics: RequestMetrics(factory: metrics),
            payloadMetrics: PayloadMetrics(factory: metrics),
            logger: logger
        )
    }

    /// Throws `EndpointError` when the address cannot be listened on.
    public func run() async throws {
        do {
            try await application.run()
        } catch let error
            where error is IOError || error is SocketAddressError || error is SocketAddressError.UnknownHost
        {
            // Only the bind throws these: Hummingbird keeps what goes wrong with a single connection to itself.
            throw EndpointError(host: configuration.host, port: configuration.port, reason: "\(error)")
        }
    }

    package var application: Application<QueryResponder> {
        get throws {
            // Hummingbird tells of its own start and stop; what operators need to know is said by the worker.
            var quiet = logger
            quiet.logLevel = max(logger.logLevel, .warning)
            let plain = HTTPServerBuilder { responder in
                ConnectionChannel(
                    http: HTTP1Channel(
                        responder: responder,
                        configuration: HTTP1Channel.Configuration(
                            additionalChannelHandlers: [
                                RequestDeadlineHandler(timeout: configuration.requestTimeout), ClientPresenceHandler(),
                            ],
                            idleTimeout: QueryServer.idleTimeout,
                            httpDecoderConfiguration: QueryServer.headerLimits
                        )
                    )
                )
            }
            let overTLS = try configuration.certificate.map {
                try HTTPServerBuilder.tls(plain, tlsConfiguration: $0.tlsConfiguration)
            }
            return Application(
                responder: responder,
                server: overTLS ?? plain,
                configuration: ApplicationConfiguration(
                    address: .hostname(configuration.host, port: configuration.port),
                    serverName: "payload-tracker",
                    availableConnectionsDelegate: .maximum(QueryServer.maxConnections, logger: quiet)
                ),
                onServerRunning: { channel in await onServerRunning(channel.localAddress?.port ?? configuration.port) },
                logger: quiet
            )
        }
    }
}

/// The endpoint cannot listen where it was told to.
public struct EndpointError: Error, Sendable, CustomStringConvertible {
    public let host: String
    public let port: Int
    let reason: String

    public var description: String {
        """
        cannot listen on \(host):\(port) (\(reason)); \
        set http.host to an address of this machine and http.port to a free port
        """
    }
}
