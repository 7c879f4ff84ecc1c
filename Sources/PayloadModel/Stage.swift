/// One (service, source) pair of a payload with the status entries that are kept of it.
public struct Stage: Hashable, Sendable {
    public let service: Text
    /// Absent is a source of its own.
    public let source: Text?
    /// Ascending, distinct, never empty.
    public internal(set) var entries: [StatusEntry] {
        didSet { latest = Standing(entries[entries.count - 1]) }
    }
    /// Of the last entry. Each message asks all stages for it, and would count references to all of their entries.
    private(set) var latest: Standing
    /// The least date over all entries that ever came.
    public internal(set) var firstDate: Timestamp
    /// The greatest date over all entries that ever came.
    public internal(set) var lastDate: Timestamp

    /// Received, processing, and how it ended: room is made for so many at once.
    package static let usualEntries = 3

    init(service: Text, source: Text?, entry: StatusEntry) {
        self.service = service
        self.source = source
        var entries: [StatusEntry] = []
        entries.reserveCapacity(Stage.usualEntries)
        entries.append(entry)
        self.entries = entries
        latest = Standing(entry)
        firstDate = entry.date
        lastDate = entry.date
    }

    /// A stage as it was stored. Nil: `entries` is empty or not ascending.
    public init?(service: Text, source: Text?, entries: [StatusEntry], firstDate: Timestamp, lastDate: Timestamp) {
        guard let last = entries.last, zip(entries, entries.dropFirst()).allSatisfy({ $0 < $1 }) else { return nil }
        self.service = service
        self.source = source
        self.entries = entries
        latest = Standing(last)
        self.firstDate = firstDate
        self.lastDate = lastDate
    }

    /// Whether the entry was not yet known.
    mutating func insert(_ entry: StatusEntry) -> Bool {
        let index = entries.withUnsafeBufferPointer { entries in
            entries.indices.partitioningIndex { !(entries[$0] < entry) }
        }
        if index < entries.count && entries[index] == entry { return false }
        // Nearly always it is the newest, and `insert` costs more.
        if index == entries.count { entries.append(entry) } else { entries.insert(entry, at: index) }
        firstDate = min(firstDate, entry.date)
        lastDate = max(lastDate, entry.date)
        return true
    }

    /// The position of the entry that the stage stands at: the greatest or, where the first failure is final, that one.
    func currentIndex(_ recovery: PayloadRules.StageRecovery) -> Int {
        if recovery == .sticky, let first = entries.firstIndex(where: { $0.status.isFailing }) { return first }
        return entries.count - 1
    }

    func current(_ recovery: PayloadRules.StageRecovery) -> StatusEntry { entries[currentIndex(recovery)] }

    /// What the current entry says, without its texts.
    struct Standing: Hashable {
        var status: Status
        var date: Timestamp

        init(_ entry: StatusEntry) {
            status = entry.status
            date = entry.date
        }
    }

    func standing(_ recovery: PayloadRules.StageRecovery) -> Standing {
        recovery == .latest ? latest : Standing(entries[currentIndex(recovery)])
    }

    /// The position of the entry that tells why a failing stage fails: the first of the unbroken run of failure and invalid entries
    /// that its history ends with, because services follow the real error with a general one. Nil: the stage is not failing.
    func tellingIndex(_ recovery: PayloadRules.StageRecovery) -> Int? {
        let current = currentIndex(recovery)
        guard entries[current].status.isFailing else { return nil }
        if recovery == .sticky { return current }
        return indexAfterLastNonFailing
    }

    /// Failure and invalid entries that the stage has since moved on from are the failing ones before this position.
    var indexAfterLastNonFailing: Int {
        (entries.lastIndex { !$0.status.isFailing } ?? -1) + 1
    }
}
