import Synchronization

/// How many requests may be under way to one instance, so that one that is slow holds up those for its own partitions only. Thread-safe.
final class PeerLimits: Sendable {
    private struct Count {
        var all = 0
        var waiting = 0
    }

    /// Far below the connections that a server takes.
    static let maxRequests = 256
    /// Of those that wait for an outcome, up to a minute each; the rest stays free for quick ones.
    static let maxWaiting = 192
    private let counts = Mutex<[String: Count]>([:])

    /// Whether one more may start; then it has to `end`.
    func start(_ url: String, isWaiting: Bool) -> Bool {
        counts.withLock { counts in
            var count = counts[url] ?? Count()
            guard count.all < PeerLimits.maxRequests, !isWaiting || count.waiting < PeerLimits.maxWaiting else {
                return false
            }
            count.all += 1
            if isWaiting { count.waiting += 1 }
            counts[url] = count
            return true
        }
    }

    func end(_ url: String, isWaiting: Bool) {
        counts.withLock { counts in
            guard var count = counts[url] else { return }
            count.all -= 1
            if isWaiting { count.waiting -= 1 }
            counts[url] = count.all > 0 ? count : nil
        }
    }
}
