import Synchronization

/// How many requests may be under way to one instance, so that one that is slow holds up those for its own partitions only. Thread-safe.
final class PeerLimits: Sendable {
    private struct Count {
        var quick = 0
        var waiting = 0
    }

    static let maxQuick = 256
    /// Of those that wait for an outcome, up to a minute each. There may be thousands, and they cost little but a connection: two instances
    /// with as many as they may have leave the third 512 of the 3,072 that it takes.
    static let maxWaiting = 1_280
    private let counts = Mutex<[String: Count]>([:])

    /// Whether one more may start; then it has to `end`.
    func start(_ url: String, isWaiting: Bool) -> Bool {
        counts.withLock { counts in
            var count = counts[url] ?? Count()
            guard isWaiting ? count.waiting < PeerLimits.maxWaiting : count.quick < PeerLimits.maxQuick else {
                return false
            }
            if isWaiting { count.waiting += 1 } else { count.quick += 1 }
            counts[url] = count
            return true
        }
    }

    func end(_ url: String, isWaiting: Bool) {
        counts.withLock { counts in
            guard var count = counts[url] else { return }
            if isWaiting { count.waiting -= 1 } else { count.quick -= 1 }
            counts[url] = count.quick + count.waiting > 0 ? count : nil
        }
    }
}
