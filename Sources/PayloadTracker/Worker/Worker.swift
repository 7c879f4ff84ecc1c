import KafkaClient
import Logging
import PayloadTopology
import QueryService
import ServiceLifecycle
import StreamRuntime

/// The worker and its HTTP endpoint, as `serve` and `demo` run them.
struct Worker {
    let application: StreamApplication
    private let outcomes: OutcomeHub
    private let access: AccessSources
    private let tls: TLSFiles
    private let server: QueryServer
    private let url = OwnURL()

    /// Throws for settings that it cannot run with.
    ///
    /// - Parameter onServerRunning: told the port once the endpoint listens.
    init(
        settings: Settings,
        createsInput: Bool,
        metrics: PrometheusMetrics,
        logger: Logger,
        onServerRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) async throws {
        tls = try TLSFiles(settings, logger: logger)
        guard settings.httpRateLimit == 0 || settings.httpPeerSecret != nil else {
            throw WorkerError(
                description:
                    "http.rate-limit needs http.peer-secret: without it every client could pass for an instance",
                exitCode: 2
            )
        }
        access = try await AccessSources(settings, authorities: tls.authorities, logger: logger)
        let observers = PayloadTopology.Observers()
        application = StreamApplication(
            settings: settings.streamSettings(createsInput: createsInput),
            topology: settings.topology(observers: observers),
            logger: logger,
            onPartitionLeft: { [waiters = observers.waiters] in waiters.wakeAll() }
        )
        do { try application.checkStateDirectory() } catch { throw WorkerError(error) }
        metrics.collect(WorkerMetrics(application: application, settings: settings).samples)
        metrics.collect { [tls] in tls.samples }
        outcomes = OutcomeHub(
            OutcomeHub.Configuration(
                topic: settings.topicsOutcomes,
                client: ClientConfiguration(settings.kafka.values),
                groupID: "\(settings.applicationID)-reader"
            ),
            logger: logger
        ) { [application] in
            application.topics?[settings.topicsOutcomes].map { Int($0.partitionCount) }
        }
        server = QueryServer(
            configuration: QueryServer.Configuration(
                host: settings.httpHost,
                port: settings.httpPort,
                certificate: tls.certificate,
                rateLimit: settings.httpRateLimit
            ),
            reader: StorePayloadReader(application, settings: settings, url: url),
            lists: StoreListReader(application, settings: settings, url: url, demand: observers.listDemand),
            summary: StoreSummaryReader(
                application: application,
                activity: observers.activity,
                topic: PayloadTopology.payloadTopic(settings.topics, isInputKeyed: settings.inputKeyedByPayloadID)
            ),
            watcher: StorePayloadWatcher(waiters: observers.waiters),
            partitions: LocalPartitionReader(application: application, settings: settings, url: url),
            outcomes: outcomes,
            peers: Peers(
                directory: GroupDirectory(application, settings: settings),
                client: HTTPPeerClient(authorities: tls.authorities),
                secret: settings.httpPeerSecret
            ),
            tokens: access.tokens,
            signed: access.signed,
            health: WorkerHealth(application: application),
            metrics: metrics,
            logger: logger
        ) { [url] port in
            let reachable = settings.serverURL(port: port)
            url.set(reachable)
            logger.notice(
                "listening on \(settings.listenURL(port: port)); other instances reach this one at \(reachable)"
            )
            await onServerRunning(port)
        }
    }

    /// In the order in which they start; they stop in reverse, so that lookups are answered until nothing is left to ask.
    var services: [any Service] {
        let services: [any Service] = [StreamService(application: application, url: url), outcomes, server]
        return services + access.services + (tls.hasFiles ? [tls] : [])
    }
}

/// The stream application as a service: a graceful shutdown commits, leaves the group and returns.
private struct StreamService: Service {
    let application: StreamApplication
    let url: OwnURL

    func run() async throws {
        // The group is told where this instance answers as it joins.
        guard let server = await url.whenKnown() else { return }
        try await withGracefulShutdownHandler {
            try await withTaskCancellationHandler {
                try await application.run(server: server)
            } onCancel: {
                application.requestStop()
            }
        } onGracefulShutdown: {
            application.requestStop()
        }
    }
}
