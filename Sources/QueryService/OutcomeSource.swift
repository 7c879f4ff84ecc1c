import PayloadModel

/// Where the service learns of outcomes as they are committed, by whichever instance.
public protocol OutcomeSource: Sendable {
    /// Listens from now on, or on from `position` without a gap. Called from many tasks at once, on the cooperative pool.
    func subscribe(from position: OutcomePosition?) async throws(SubscriptionFailure) -> any OutcomeSubscription
}

/// One who listens, for as long as the object lives.
public protocol OutcomeSubscription: AnyObject, Sendable {
    /// Where it begins.
    var start: OutcomePosition { get }

    /// What was committed next, in order; waits for it. Empty every now and then, so that the listener can show that it is still
    /// there. Nil: there will be no more, because the listener is too slow, the worker ends, or `end` was called. One task
    /// calls it at a time.
    func next() async -> [CommittedOutcome]?

    /// Makes `next` return nil. From any thread.
    func end()
}

/// Why nobody can listen, in a sentence for the client.
public enum SubscriptionFailure: Error, Sendable {
    /// For now: a 503.
    case unavailable(reason: String, retryAfterSeconds: Int)
    /// There is no such position in the topic: a 400.
    case badPosition(String)
}

/// An outcome event as it stands in its topic.
public struct CommittedOutcome: Sendable {
    public let partition: Int32
    public let offset: Int64
    /// `payload-completed`, `payload-failed` or `payload-stalled`.
    public let type: String
    public let account: String?
    public let orgID: Text?
    public let services: Set<String>
    public let failedServices: Set<String>
    /// The event without line breaks.
    public let json: [UInt8]

    public init(
        partition: Int32,
        offset: Int64,
        type: String,
        account: String?,
        orgID: Text?,
        services: Set<String>,
        failedServices: Set<String>,
        json: [UInt8]
    ) {
        self.partition = partition
        self.offset = offset
        self.type = type
        self.account = account
        self.orgID = orgID
        self.services = services
        self.failedServices = failedServices
        self.json = json
    }
}
