/// What the messages of a payload say of it, merged from all of them. Merging is commutative, associative and idempotent.
public struct Attributes: Hashable, Sendable {
    public var account: LatestText?
    public var orgID: LatestText?
    public var inventoryIDs: RecentTexts
    public var systemIDs: RecentTexts

    public init(
        account: LatestText? = nil,
        orgID: LatestText? = nil,
        inventoryIDs: RecentTexts = .init(),
        systemIDs: RecentTexts = .init()
    ) {
        self.account = account
        self.orgID = orgID
        self.inventoryIDs = inventoryIDs
        self.systemIDs = systemIDs
    }

    /// Whether anything changed.
    mutating func merge(_ message: StatusMessage) -> Bool {
        let date = message.entry.date
        var changed = LatestText.merge(message.account, date, into: &account)
        if LatestText.merge(message.orgID, date, into: &orgID) { changed = true }
        if let id = message.inventoryID, inventoryIDs.insert(id, date: date) { changed = true }
        if let id = message.systemID, systemIDs.insert(id, date: date) { changed = true }
        return changed
    }
}

/// The last text by date; of equal dates, the greater bytes.
public struct LatestText: Hashable, Sendable {
    public var text: Text
    public var date: Timestamp

    public init(text: Text, date: Timestamp) {
        self.text = text
        self.date = date
    }

    fileprivate static func merge(_ text: Text?, _ date: Timestamp, into latest: inout LatestText?) -> Bool {
        guard let text else { return false }
        if let latest, (date, text) <= (latest.date, latest.text) { return false }
        latest = LatestText(text: text, date: date)
        return true
    }
}

/// A set of texts that keeps the 1,000 seen at the latest dates (equal dates: the greater bytes).
public struct RecentTexts: Hashable, Sendable {
    public static let capacity = 1_000

    /// Sorted by text.
    public private(set) var members: [LatestText]
    /// Whether any ever left.
    public private(set) var isTruncated: Bool

    public init() {
        members = []
        isTruncated = false
    }

    /// `members` sorted by text, without repetition.
    public init(members: [LatestText], isTruncated: Bool) {
        self.members = members
        self.isTruncated = isTruncated
    }

    public var texts: [String] { members.map(\.text.string) }

    fileprivate mutating func insert(_ text: Text, date: Timestamp) -> Bool {
        let index = members.indices.partitioningIndex { !(members[$0].text < text) }
        if index < members.count && members[index].text == text {
            if date <= members[index].date { return false }
            members[index].date = date
            return true
        }
        members.insert(LatestText(text: text, date: date), at: index)
        if members.count <= RecentTexts.capacity { return true }
        guard let oldest = members.indices.min(by: { RecentTexts.isOlder(members[$0], members[$1]) }) else {
            return true
        }
        members.remove(at: oldest)
        // The newcomer itself may be what leaves: then all is as it was, but for the first time that any left.
        let changed = oldest != index || !isTruncated
        isTruncated = true
        return changed
    }

    private static func isOlder(_ a: LatestText, _ b: LatestText) -> Bool { (a.date, a.text) < (b.date, b.text) }
}

extension Range<Int> {
    /// The first index that satisfies `belongsInSecondPartition`, of a range that is partitioned by it. Of indices, because an element
    /// that is handed to a closure is copied.
    func partitioningIndex(where belongsInSecondPartition: (Int) -> Bool) -> Int {
        var low = lowerBound
        var high = upperBound
        while low < high {
            let middle = low + (high - low) / 2
            if belongsInSecondPartition(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
