import ServiceLifecycle
import Synchronization

/// Where other instances reach this one. It is known once the endpoint listens, because the system may choose the port. Thread-safe.
final class OwnURL: Sendable {
    private let value = Mutex("")
    private let (known, continuation) = AsyncStream.makeStream(of: String.self)

    /// Empty before it is known.
    var text: String { value.withLock { $0 } }

    func set(_ url: String) {
        value.withLock { $0 = url }
        continuation.yield(url)
        continuation.finish()
    }

    /// Waits until it is known; nil: the program stops before that. For one caller.
    func whenKnown() async -> String? {
        await withGracefulShutdownHandler {
            await known.first { _ in true }
        } onGracefulShutdown: { [continuation] in
            continuation.finish()
        }
    }
}
