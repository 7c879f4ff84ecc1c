import PayloadModel
import RocksStore
import StreamRuntime

/// A payload's decoded state between two commits.
final class CachedPayload {
    var state: PayloadState
    /// The timer that the store holds for it.
    var timerAt: Timestamp?
    /// What the store says that it can be found by; nil: the store does not hold it.
    var facets: PayloadFacets?
    fileprivate(set) var isDirty = false
    /// The timestamp of the first record that has changed it since the last commit, in milliseconds since 1970; nil: none has, or it
    /// had no timestamp.
    fileprivate(set) var changedByRecordAt: Int64?

    init(state: PayloadState, timerAt: Timestamp?, facets: PayloadFacets?) {
        self.state = state
        self.timerAt = timerAt
        self.facets = facets
    }
}

/// The write-back cache of a task: payloads are decoded once and encoded once a commit, however many messages come between.
///
/// The next message of a payload is mostly not far, so payloads stay after a commit, in two generations: when the younger one has
/// grown to half of what may stay, it becomes the older one, and who was not asked for since the last such change goes. That forgets
/// about those that LRU would, without a list to keep in order.
struct PayloadCache {
    private let store: Database
    private var young: [PayloadID: CachedPayload] = [:]
    private var old: [PayloadID: CachedPayload] = [:]
    private(set) var dirtyPayloads: [CachedPayload] = []
    /// Dirty payloads' sizes, roughly.
    private(set) var dirtyBytes = 0

    /// The younger generation's size, roughly.
    private var youngBytes = 0
    /// Of both generations after a commit.
    private let maxBytes: Int
    /// Payloads in memory.
    var count: Int { young.count + old.count }

    /// Of an entry without its message, and of a stage without its entries: payloads of 17 entries, whose texts are short or shared, took
    /// 2.8 KB each and count as 4.
    private static let estimatedEntryBytes = 128
    private static let estimatedStageBytes = 128
    /// Of a payload without its entries: also what bounds the number of dirty keys.
    private static let estimatedKeyBytes = 1_024

    init(_ store: Database, maxBytes: Int) {
        self.store = store
        self.maxBytes = maxBytes
    }

    /// The payload's state as it is now; a new one where there is none.
    mutating func payload(_ id: PayloadID) throws(StreamError) -> CachedPayload {
        if let payload = young[id] { return payload }
        let payload: CachedPayload
        if let known = old.removeValue(forKey: id) { payload = known } else { payload = try load(id) }
        young[id] = payload
        youngBytes += PayloadCache.estimatedBytes(payload)
        return payload
    }

    private func load(_ id: PayloadID) throws(StreamError) -> CachedPayload {
        let stored = try PayloadStore.load(id, from: store)
        return CachedPayload(
            state: stored?.state ?? PayloadState(id: id),
            timerAt: stored?.timerAt,
            facets: stored?.facets
        )
    }

    /// - Parameters:
    ///   - addedBytes: of the message that changed it.
    ///   - recordTimestamp: of the record that changed it; nil where a timer did, or it has none.
    mutating func markDirty(_ payload: CachedPayload, addedBytes: Int, recordTimestamp: Int64?) {
        payload.changedByRecordAt = payload.changedByRecordAt ?? recordTimestamp
        let added = PayloadCache.estimatedEntryBytes + addedBytes
        dirtyBytes += added
        youngBytes += added
        if payload.isDirty { return }
        payload.isDirty = true
        dirtyPayloads.append(payload)
        dirtyBytes += PayloadCache.estimatedBytes(payload)
    }

    /// In the order of their keys, which is the order that a store takes them in best.
    mutating func sortDirtyPayloads() { dirtyPayloads.sort { $0.state.id < $1.state.id } }

    mutating func committed() {
        for payload in dirtyPayloads {
            payload.isDirty = false
            payload.changedByRecordAt = nil
        }
        dirtyPayloads.removeAll(keepingCapacity: true)
        dirtyBytes = 0
        let share = maxBytes / 2
        if youngBytes <= share { return }
        // A commit may have had many more than are to stay: then any of them do, as many as there is room for.
        let count = young.count * share / youngBytes
        old = Dictionary(uniqueKeysWithValues: young.lazy.prefix(count).map { ($0.key, $0.value) })
        young = [:]
        youngBytes = 0
    }

    private static func estimatedBytes(_ payload: CachedPayload) -> Int {
        estimatedKeyBytes + payload.state.stages.count * estimatedStageBytes
            + payload.state.entryCount * estimatedEntryBytes + payload.state.messageBytes
    }
}
