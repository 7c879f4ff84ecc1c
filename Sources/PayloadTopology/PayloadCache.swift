import PayloadModel
import RocksStore
import StreamRuntime

/// A payload's decoded state between two commits.
final class CachedPayload {
    var state: PayloadState
    /// The timer that the store holds for it.
    var timerAt: Timestamp?
    fileprivate(set) var isDirty = false

    init(state: PayloadState, timerAt: Timestamp?) {
        self.state = state
        self.timerAt = timerAt
    }
}

/// The write-back cache of a task: payloads are decoded once and encoded once a commit, however many messages come between.
struct PayloadCache {
    private let store: Database
    private var payloads: [PayloadID: CachedPayload] = [:]
    private(set) var dirtyPayloads: [CachedPayload] = []
    /// Dirty payloads' sizes, roughly.
    private(set) var dirtyBytes = 0

    /// All cached payloads' sizes, roughly.
    private var bytes = 0
    /// What may stay after a commit, because the next message of a payload is mostly not far.
    private let maxBytes: Int

    /// With its share of the payload's own fields.
    private static let estimatedEntryBytes = 384

    init(_ store: Database, maxBytes: Int) {
        self.store = store
        self.maxBytes = maxBytes
    }

    /// The payload's state as it is now; a new one where there is none.
    mutating func payload(_ id: PayloadID) throws(StreamError) -> CachedPayload {
        if let payload = payloads[id] { return payload }
        let stored = try PayloadStore.load(id, from: store)
        let payload = CachedPayload(state: stored?.state ?? PayloadState(id: id), timerAt: stored?.timerAt)
        payloads[id] = payload
        bytes += PayloadCache.estimatedBytes(payload)
        return payload
    }

    mutating func markDirty(_ payload: CachedPayload) {
        dirtyBytes += PayloadCache.estimatedEntryBytes
        bytes += PayloadCache.estimatedEntryBytes
        if payload.isDirty { return }
        payload.isDirty = true
        dirtyPayloads.append(payload)
        dirtyBytes += PayloadCache.estimatedBytes(payload)
    }

    mutating func committed() {
        for payload in dirtyPayloads { payload.isDirty = false }
        dirtyPayloads.removeAll(keepingCapacity: true)
        dirtyBytes = 0
        if bytes > maxBytes {
            payloads.removeAll(keepingCapacity: true)
            bytes = 0
        }
    }

    private static func estimatedBytes(_ payload: CachedPayload) -> Int {
        payload.state.stages.reduce(1) { $0 + $1.entries.count } * estimatedEntryBytes
    }
}
