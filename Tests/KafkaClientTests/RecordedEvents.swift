import KafkaClient
import Synchronization

/// Keeps what a client tells, from whatever thread.
final class RecordedEvents: Sendable {
    private let state = Mutex((errors: [KafkaError](), logs: [String](), statistics: [String]()))

    var clientEvents: ClientEvents {
        ClientEvents(
            log: { [self] _, facility, message in state.withLock { $0.logs.append("\(facility) \(message)") } },
            error: { [self] error in state.withLock { $0.errors.append(error) } },
            statistics: { [self] json in state.withLock { $0.statistics.append(json) } }
        )
    }

    var errors: [KafkaError] { state.withLock { $0.errors } }
    var logs: [String] { state.withLock { $0.logs } }
    var statistics: [String] { state.withLock { $0.statistics } }
}
