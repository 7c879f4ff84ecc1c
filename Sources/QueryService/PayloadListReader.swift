import PayloadModel

/// Where the service reads lists of the payloads of its own instance: committed state only. Called as `PayloadReader` is.
public protocol PayloadListReader: Sendable {
    /// The payloads that the request's filter takes, in the order of `ListPosition`, from its start.
    func page(_ request: PageRequest) async throws(ReadFailure) -> PayloadPage
}

/// A question for a page of payloads.
public struct PageRequest: Hashable, Sendable {
    public var filter: PayloadFilter
    /// The page begins after it; nil: with the newest.
    public var start: ListPosition?
    /// The most payloads that the page may have, 1 or more.
    public var limit: Int
    /// Standbys' stores are read, too, where no task of this instance has the partition running.
    public var takesStale: Bool

    public init(filter: PayloadFilter, start: ListPosition?, limit: Int, takesStale: Bool = false) {
        self.filter = filter
        self.start = start
        self.limit = limit
        self.takesStale = takesStale
    }
}

/// A part of a list.
public struct PayloadPage: Sendable {
    /// Documents without stages. May be fewer than were asked for, or none, although there are more.
    public var items: [LocatedDocument]
    /// All up to here has been looked at: the next page begins after it. Nil: the list is at its end.
    public var next: ListPosition?
    /// The partitions that are not on this instance, whose payloads the page lacks; ascending.
    public var missing: [Int32]
    /// The partitions that standbys' stores were read of, with the staleness of each, as `LocatedDocument` has it.
    public var standbys: [Int32: Int64]

    public init(
        items: [LocatedDocument],
        next: ListPosition?,
        missing: [Int32] = [],
        standbys: [Int32: Int64] = [:]
    ) {
        self.items = items
        self.next = next
        self.missing = missing
        self.standbys = standbys
    }
}

/// The staleness of a part of a list, as it is told.
struct StandbyPartition: Codable {
    let partition: Int32
    let stalenessRecords: Int64

    private enum CodingKeys: String, CodingKey {
        case partition
        case stalenessRecords = "staleness_records"
    }
}

/// A page as it is answered.
struct PageAnswer<Item: Encodable>: Encodable {
    let data: [Item]
    let nextCursor: String?
    /// Nil: the page is of all partitions.
    let missing: [Int32]?
    /// Nil: the client takes no stale answer.
    let standbys: [Int32: Int64]?

    private enum CodingKeys: String, CodingKey {
        case data
        case nextCursor = "next_cursor"
        case missing = "missing_partitions"
        case standbys = "standby_partitions"
        case stalenessRecords = "staleness_records"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(data, forKey: .data)
        // With null at the end, not without the field.
        try container.encode(nextCursor, forKey: .nextCursor)
        try container.encodeIfPresent(missing, forKey: .missing)
        guard let standbys else { return }
        let partitions = standbys.sorted { $0.key < $1.key }
        try container.encode(
            partitions.map { StandbyPartition(partition: $0.key, stalenessRecords: $0.value) },
            forKey: .standbys
        )
        try container.encode(
            partitions.reduce(0) { max($0, 0) &+ min(max($1.value, 0), 1 << 50) },
            forKey: .stalenessRecords
        )
    }
}
