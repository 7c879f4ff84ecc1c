import PayloadModel
import QueryService
import Synchronization

/// A source of outcomes that gives each listener the same, and remembers where they wanted to begin.
final class StubOutcomes: OutcomeSource {
    private let batches: [[CommittedOutcome]]
    private let failure: SubscriptionFailure?
    /// Whether listeners wait for more at the end, or are told that there will be none.
    private let isEndless: Bool
    private let wishes = Mutex<[OutcomePosition?]>([])

    init(_ batches: [[CommittedOutcome]] = [], failure: SubscriptionFailure? = nil, isEndless: Bool = false) {
        self.batches = batches
        self.failure = failure
        self.isEndless = isEndless
    }

    var wishedPositions: [OutcomePosition?] { wishes.withLock { $0 } }

    func subscribe(from position: OutcomePosition?) async throws(SubscriptionFailure) -> any OutcomeSubscription {
        wishes.withLock { $0.append(position) }
        if let failure { throw failure }
        return Subscription(position ?? OutcomePosition(nextOffsets: [5, 0]), batches, isEndless: isEndless)
    }

    private final class Subscription: OutcomeSubscription {
        let start: OutcomePosition
        private let batches: AsyncStream<[CommittedOutcome]>
        private let feed: AsyncStream<[CommittedOutcome]>.Continuation

        init(_ start: OutcomePosition, _ batches: [[CommittedOutcome]], isEndless: Bool) {
            self.start = start
            (self.batches, feed) = AsyncStream.makeStream()
            for batch in batches { feed.yield(batch) }
            if !isEndless { feed.finish() }
        }

        func next() async -> [CommittedOutcome]? { await batches.first { _ in true } }

        func end() { feed.finish() }
    }
}

extension CommittedOutcome {
    static func failed(
        _ partition: Int32,
        _ offset: Int64,
        account: String? = "540155",
        orgID: Text? = nil,
        services: Set<String> = ["ingress", "puptoo"],
        type: String = "payload-failed"
    ) -> CommittedOutcome {
        CommittedOutcome(
            partition: partition,
            offset: offset,
            type: type,
            account: account,
            orgID: orgID,
            services: services,
            failedServices: type == "payload-failed" ? services.subtracting(["ingress"]) : [],
            json: Array(#"{"at":\#(offset)}"#.utf8)
        )
    }
}
