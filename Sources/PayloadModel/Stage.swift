/// One (service, source) pair of a payload with the status entries that are kept of it.
public struct Stage: Hashable, Sendable {
    public let service: Text
    /// Absent is a source of its own.
    public let source: Text?
    /// Ascending, distinct, never empty.
    public internal(set) var entries: [StatusEntry]
    /// The least date over all entries that ever came.
    public internal(set) var firstDate: Timestamp
    /// The greatest date over all entries that ever came.
    public internal(set) var lastDate: Timestamp

    init(service: Text, source: Text?, entry: StatusEntry) {
        self.service = service
        self.source = source
        entries = [entry]
        firstDate = entry.date
        lastDate = entry.date
    }

    /// A stage as it was stored. Nil: `entries` is empty or not ascending.
    public init?(service: Text, source: Text?, entries: [StatusEntry], firstDate: Timestamp, lastDate: Timestamp) {
        guard !entries.isEmpty, zip(entries, entries.dropFirst()).allSatisfy({ $0 < $1 }) else { return nil }
        self.service = service
        self.source = source
        self.entries = entries
        self.firstDate = firstDate
        self.lastDate = lastDate
    }

    /// Whether the entry was not yet known.
    mutating func insert(_ entry: StatusEntry) -> Bool {
        let index = entries.partitioningIndex { !($0 < entry) }
        if index < entries.count && entries[index] == entry { return false }
        entries.insert(entry, at: index)
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
    struct Standing {
        var status: Status
        var date: Timestamp
    }

    func standing(_ recovery: PayloadRules.StageRecovery) -> Standing {
        let index = currentIndex(recovery)
        return Standing(status: entries[index].status, date: entries[index].date)
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

    static func precedes(_ a: Stage, _ service: Text, _ source: Text?) -> Bool {
        a.service == service ? Text?.precedes(a.source, source) : a.service < service
    }
}
