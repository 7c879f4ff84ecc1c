import Synchronization

/// Whether anybody asks this process for lists of payloads, which decides how they are kept: see `PayloadIndex`. Thread-safe.
public final class ListDemand: Sendable {
    private let lastAsked = Atomic(-Double.infinity)
    /// Seconds since some moment.
    private let now: @Sendable () -> Double

    /// Seconds. Who has a list open, or asks by a script, mostly asks again within this.
    private static let duration = 600.0

    public convenience init() {
        let start = ContinuousClock.now
        self.init { start.duration(to: .now) / .seconds(1) }
    }

    init(now: @escaping @Sendable () -> Double) { self.now = now }

    /// A list is asked for.
    public func asked() { lastAsked.store(now(), ordering: .relaxed) }

    /// Whether one was within the last ten minutes.
    var isThere: Bool { now() - lastAsked.load(ordering: .relaxed) < ListDemand.duration }
}
