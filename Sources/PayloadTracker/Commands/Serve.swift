import ArgumentParser
import Foundation
import Logging
import Metrics
import QueryService
import ServiceLifecycle
import StreamRuntime
import UnixSignals

/// Runs the worker and its HTTP endpoint.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Runs the worker and its HTTP endpoint.")

    @Flag(help: "Create the input topic if it does not exist.") var createInput = false
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        Interruption.exitUntilServing()
        // Whoever read the log may be gone.
        signal(SIGPIPE, SIG_IGN)
        OpenFiles.raiseLimit()
        let settings = try options.settings()
        let logger = LineLogHandler.logger(settings)
        let metrics = PrometheusMetrics.ofWorker()
        MetricsSystem.bootstrap(metrics)
        let worker = try await Worker(settings: settings, createsInput: createInput, metrics: metrics, logger: logger)
        try await WorkerError.run {
            try await ServiceGroup.payloadTracker(worker.services, logger: logger).run()
        }
    }
}

extension ServiceGroup {
    /// Stops on SIGTERM and SIGINT, and within 9 seconds whatever happens: an orchestrator's patience is ten.
    static func payloadTracker(_ services: [any Service], logger: Logger) -> ServiceGroup {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        var configuration = ServiceGroupConfiguration(
            services: services.map {
                ServiceGroupConfiguration.ServiceConfiguration(
                    service: $0,
                    successTerminationBehavior: .gracefullyShutdownGroup,
                    // Not cancelled: the HTTP endpoint of Hummingbird 2.28 traps where that meets a connection being opened.
                    failureTerminationBehavior: .gracefullyShutdownGroup
                )
            },
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: quiet
        )
        configuration.maximumGracefulShutdownDuration = .seconds(9)
        return ServiceGroup(configuration: configuration)
    }
}

/// What ended the worker: one line, and exit code 2 where it was the settings.
struct WorkerError: ExitCodeError {
    let description: String
    var exitCode: Int32 = 1

    init(description: String, exitCode: Int32 = 1) {
        self.description = description
        self.exitCode = exitCode
    }

    init(_ error: StreamError) {
        description = SingleLine.escape("\(error)")
        if case .refusedSettings = error { exitCode = 2 }
    }

    static func run(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as StreamError {
            throw WorkerError(error)
        } catch let error as EndpointError {
            throw WorkerError(description: SingleLine.escape("\(error)"))
        }
    }
}
