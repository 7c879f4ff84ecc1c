import QueryService

/// One who listens to the hub.
final class OutcomeListener: OutcomeSubscription {
    let start: OutcomePosition
    private let id: Int
    private let bells: AsyncStream<Void>
    private let hub: OutcomeHub

    /// After which the caller gets to show that it is still there.
    private static let patience = Duration.seconds(15)

    init(id: Int, start: OutcomePosition, bells: AsyncStream<Void>, hub: OutcomeHub) {
        self.id = id
        self.start = start
        self.bells = bells
        self.hub = hub
    }

    deinit { end() }

    func next() async -> [CommittedOutcome]? {
        let deadline = ContinuousClock.now + OutcomeListener.patience
        while let outcomes = hub.take(id) {
            if !outcomes.isEmpty || ContinuousClock.now >= deadline { return outcomes }
            guard await isRung() else { return nil }
        }
        return nil
    }

    func end() { hub.remove(id) }

    /// False: it will not ring again.
    private func isRung() async -> Bool {
        for await _ in bells { return true }
        return false
    }
}
