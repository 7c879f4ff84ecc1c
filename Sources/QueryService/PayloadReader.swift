import PayloadModel

/// Where the service reads payloads: committed state only.
///
/// The methods are called from many tasks at once, on the cooperative pool: an implementation that waits for a disk
/// does so elsewhere.
public protocol PayloadReader: Sendable {
    /// The payload and who answered, or nil when it is unknown.
    func document(_ id: PayloadID) async throws(ReadFailure) -> LocatedDocument?

    /// The history, newest first, at most `limit` entries or all of it; nil when the payload is unknown.
    func statuses(_ id: PayloadID, limit: Int?) async throws(ReadFailure) -> [StatusReport]?
}

/// Why a question about a payload cannot be answered.
public enum ReadFailure: Error, Sendable {
    /// No instance can answer for the partition now: a 503 with `Retry-After`. The reason is told to the client.
    case noOwner(partition: Int32?, reason: String, retryAfterSeconds: Int)
    /// The store cannot be read: a 500. The reason goes to the log and not to the client.
    case store(String)
}

/// A payload's document and who answered with it.
public struct LocatedDocument: Sendable, Encodable {
    public let document: PayloadDocument
    public let partition: Int32
    /// The URL of the instance whose store was read.
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

    /// One JSON object: the document's own fields, and beside them these two.
    public func encode(to encoder: any Encoder) throws {
        try document.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(partition, forKey: .partition)
        try container.encode(servedBy, forKey: .servedBy)
    }
}
