import PayloadModel

/// Where the service reads payloads: committed state only. Implementations must not block the cooperative pool.
public protocol PayloadReader: Sendable {
    /// Nil: the payload is unknown.
    func document(_ id: PayloadID) async throws(ReadFailure) -> LocatedDocument?

    /// The history, newest first, at most `limit` of it. Nil: the payload is unknown.
    func statuses(_ id: PayloadID, limit: Int?) async throws(ReadFailure) -> [StatusReport]?
}

/// A payload's document and who answered with it.
public struct LocatedDocument: Sendable, Encodable {
    public let document: PayloadDocument
    public let partition: Int32
    /// The URL of the instance that owns the partition.
    public let servedBy: String

    public init(document: PayloadDocument, partition: Int32, servedBy: String) {
        self.document = document
        self.partition = partition
        self.servedBy = servedBy
    }

    private enum CodingKeys: String, CodingKey {
        case partition
        case servedBy = "served_by"
    }

    /// One JSON object: the document's own fields and these two.
    public func encode(to encoder: any Encoder) throws {
        try document.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(partition, forKey: .partition)
        try container.encode(servedBy, forKey: .servedBy)
    }
}

/// Why a question about a payload cannot be answered.
public enum ReadFailure: Error, Sendable {
    /// Nobody serves the payload's partition now: a 503 with `Retry-After`.
    case noOwner(partition: Int32?, reason: String, retryAfterSeconds: Int)
    /// The store cannot be read: a 500; the reason goes to the log and not to the client.
    case store(String)
}

/// What the probes ask.
public protocol HealthReporter: Sendable {
    var health: HealthReport { get }
    var readiness: ReadinessReport { get }
}

/// Whether the process makes progress.
public struct HealthReport: Sendable {
    public var healthy: Bool
    public var problems: [String]

    public init(healthy: Bool, problems: [String]) {
        self.healthy = healthy
        self.problems = problems
    }
}

/// Whether all assigned partitions are restored and running.
public struct ReadinessReport: Sendable {
    public var ready: Bool
    public var waitingFor: [String]

    public init(ready: Bool, waitingFor: [String]) {
        self.ready = ready
        self.waitingFor = waitingFor
    }
}
