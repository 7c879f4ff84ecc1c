import NIOCore
import Synchronization

/// Whether the client of a request that waits is still there. Thread-safe.
///
/// When it goes the wait ends, and nothing is cancelled: what is read then has to be read as ever.
final class ClientPresence: Sendable {
    /// Of the request that this task answers; nil: it is not asked.
    @TaskLocal static var current: ClientPresence?

    private struct State {
        var isGone = false
        var onGone: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    init(_ channel: any Channel) {
        channel.eventLoop.execute { [self] in
            (try? channel.pipeline.syncOperations.handler(type: ClientPresenceHandler.self))?.watch(self)
        }
    }

    var isGone: Bool { state.withLock(\.isGone) }

    /// Does this once the client goes, at once if it has; instead of what was to be done before.
    func onGone(_ action: @escaping @Sendable () -> Void) {
        let isGone = state.withLock { state in
            if !state.isGone { state.onGone = action }
            return state.isGone
        }
        if isGone { action() }
    }

    func end() {
        let action = state.withLock { state in
            state.isGone = true
            defer { state.onGone = nil }
            return state.onGone
        }
        action?()
    }
}
