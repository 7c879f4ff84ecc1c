import KafkaClient
import StreamRuntime

/// What commands ask of Kafka as an administrator.
enum Administration {
    /// Runs `body` on a thread of its own, because it waits for brokers. What goes wrong is one line, with exit code 2 where it is the
    /// settings.
    static func run<Answer: Sendable>(
        _ settings: Settings,
        _ body: @escaping @Sendable () throws(StreamError) -> Answer
    ) async throws(CommandFailure) -> Answer {
        do {
            return try await onOwnThread("administration") {
                Result { () throws(StreamError) in try body() }
            }.get()
        } catch {
            throw failure(error, settings)
        }
    }

    private static func failure(_ error: StreamError, _ settings: Settings) -> CommandFailure {
        switch error {
        case .kafka(let error) where error.kind == .retriable:
            CommandFailure(
                "Kafka at \(settings.kafka.bootstrapServers) does not answer (\(error)); check kafka.bootstrap.servers, and try again"
            )
        case .refusedSettings: CommandFailure("\(error)", exitCode: 2)
        default: CommandFailure("\(error)")
        }
    }
}
