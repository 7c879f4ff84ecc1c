import PayloadModel
import RocksStore
import StreamRuntime

/// Keeps the index and the counts of a payload store in step with its payloads, in the same batches. Belongs to the one who writes
/// the store.
///
/// An index entry carries `updated_at`, which nearly every message moves: fifteen entries would be deleted and written for each. So a
/// payload that is changing is *recent*: it has no entries but its id in a column family of its own, which costs one write however
/// long it goes on. It gets its entries when it has been quiet for a while, or when too many others are recent. A reader looks at all
/// recent payloads; for every other payload the entries are exact.
///
/// How many may be recent is a matter of who reads. Where more payloads are open than may be recent, they are given entries that are
/// deleted again soon after: up to a third of a worker's CPU under backlog. So there are many while nobody asks for lists, and few while
/// somebody does.
final class PayloadIndex {
    private struct Touch {
        /// The batch that wrote the payload last.
        var batch: Int
        var time: Int64
        /// As the payload has them now; nil: the store knows.
        var facets: PayloadFacets?

        /// Of a payload with many hosts they are large, and there are thousands of recent payloads.
        private static let maxFacetsBytes = 1_024

        init(batch: Int, time: Int64, facets: PayloadFacets? = nil) {
            self.batch = batch
            self.time = time
            self.facets = facets.flatMap { $0.bytes.count <= Touch.maxFacetsBytes ? $0 : nil }
        }
    }

    /// How many payloads may be recent.
    struct Limits {
        var whileListed = 512
        var whileNot = 4_096
    }

    private let store: Database
    private let demand: ListDemand
    private let limits: Limits
    /// What holds until the batch is written.
    private var maxRecent: Int
    private var recent: [PayloadID: Touch] = [:]
    private var counts: [[UInt8]: Int64] = [:]
    /// By how many payloads the counts of terms have changed in this batch; for all counted terms of a payload together, because most payloads
    /// have the same ones.
    private var countChanges: [ArraySlice<UInt8>: Int64] = [:]
    private var batchNumber = 1
    /// In this batch no more room can be made: all payloads that are still recent are of it.
    private var fullBatch = 0
    private var lastSettled: Int64 = 0
    private var changes = IndexChanges()

    /// Of those that are too many when somebody begins to ask for lists, so many get their entries with each batch.
    private static let settledAtOnce = 1_024
    /// Microseconds without a change after which a payload is no longer recent: most finish within this.
    private static let quietPeriod: Int64 = 5_000_000
    private static let settlingInterval: Int64 = 1_000_000

    /// - Parameter now: wall clock, microseconds.
    init(_ store: Database, now: Int64, demand: ListDemand = ListDemand(), limits: Limits = Limits())
        throws(StreamError)
    {
        self.store = store
        self.demand = demand
        self.limits = limits
        maxRecent = demand.isThere ? limits.whileListed : limits.whileNot
        lastSettled = now
        for id in try PayloadStore.recentIDs(in: store) { recent[id] = Touch(batch: 0, time: now) }
        counts = try PayloadStore.counts(in: store)
    }

    /// A payload's state in the store is replaced in this batch.
    ///
    /// - Parameters:
    ///   - key: the id's bytes.
    ///   - old: what the store holds, nil: nothing.
    ///   - new: what it will hold, nil: nothing.
    ///   - now: wall clock, microseconds.
    func replace(
        _ id: PayloadID,
        _ key: UnsafeRawBufferPointer,
        from old: PayloadFacets?,
        to new: PayloadFacets?,
        at now: Int64,
        in batch: WriteBatch
    ) throws(StreamError) {
        if old == new && new != nil {
            if recent[id] != nil { recent[id] = Touch(batch: batchNumber, time: now, facets: new) }
            return
        }
        count(from: old, to: new)
        if recent[id] != nil {
            if new != nil {
                recent[id] = Touch(batch: batchNumber, time: now, facets: new)
            } else {
                recent[id] = nil
                try withStore { () throws(StoreError) in try batch.delete(PayloadStore.recent, key: key) }
            }
        } else if let old, let new, old.rank == new.rank {
            // Decided by a timer: one entry goes, one comes.
            let (before, after) = PayloadIndex.differing(old.terms, new.terms)
            deleteEntries(before.filter { !after.contains($0) }, old.rank, key)
            putEntries(after.filter { !before.contains($0) }, new.rank, key)
        } else {
            if let old { deleteEntries(old.terms, old.rank, key) }
            guard let new else { return }
            if try makeRoom(in: batch) {
                recent[id] = Touch(batch: batchNumber, time: now, facets: new)
                try withStore { () throws(StoreError) in
                    try batch.put(PayloadStore.recent, key: key, value: UnsafeRawBufferPointer(start: nil, count: 0))
                }
            } else {
                putEntries(new.terms, new.rank, key)
            }
        }
    }

    /// Two lists without what both begin and end with, which is nearly all.
    private static func differing<Term: Equatable>(_ a: [Term], _ b: [Term]) -> (ArraySlice<Term>, ArraySlice<Term>) {
        let head = zip(a, b).prefix(while: ==).count
        let (a, b) = (a[head...], b[head...])
        let tail = zip(a.reversed(), b.reversed()).prefix(while: ==).count
        return (a.dropLast(tail), b.dropLast(tail))
    }

    /// The batch is about to be written: adds what it needs besides its payloads.
    func finish(_ batch: WriteBatch, at now: Int64) throws(StreamError) {
        if now - lastSettled >= PayloadIndex.settlingInterval {
            lastSettled = now
            let quiet = touchedBefore(batchNumber).filter { now - $0.time >= PayloadIndex.quietPeriod }
            for (id, _) in quiet { try settle(id, in: batch) }
        }
        if recent.count > maxRecent {
            try settleOldest(min(recent.count - maxRecent, PayloadIndex.settledAtOnce), in: batch)
        }
        try changes.write(to: batch)
        try writeCounts(to: batch)
        batchNumber += 1
        maxRecent = demand.isThere ? limits.whileListed : limits.whileNot
    }

    private func count(from old: PayloadFacets?, to new: PayloadFacets?) {
        if let old, let new, old.counted == new.counted { return }
        if let old { countChanges[old.counted, default: 0] -= 1 }
        if let new { countChanges[new.counted, default: 0] += 1 }
    }

    private func writeCounts(to batch: WriteBatch) throws(StreamError) {
        var changed: Set<[UInt8]> = []
        for (terms, number) in countChanges where number != 0 {
            for term in PayloadFacets.terms(in: terms) {
                let key = Array(term)
                counts[key, default: 0] += number
                changed.insert(key)
            }
        }
        countChanges.removeAll(keepingCapacity: true)
        for key in changed {
            let count = counts[key] ?? 0
            if count == 0 { counts[key] = nil }
            try withStore { () throws(StoreError) in
                if count == 0 {
                    try batch.delete(PayloadStore.counts, key: key)
                } else {
                    try batch.put(PayloadStore.counts, key: key, value: PayloadStore.encodeCount(count))
                }
            }
        }
    }

    // MARK: Recent payloads

    /// Whether one more payload may be recent. Those of this batch stay: what the store holds of them is not what it will hold.
    private func makeRoom(in batch: WriteBatch) throws(StreamError) -> Bool {
        if recent.count < maxRecent { return true }
        if fullBatch == batchNumber || recent.count > maxRecent { return false }
        // A quarter at once, so that they are not put in order for each.
        try settleOldest(max(maxRecent / 4, 1), in: batch)
        return recent.count < maxRecent
    }

    /// Gives so many of those their entries that this batch has not changed, the longest quiet first.
    private func settleOldest(_ count: Int, in batch: WriteBatch) throws(StreamError) {
        let others = touchedBefore(batchNumber).sorted { $0.time < $1.time }
        if others.count <= count { fullBatch = batchNumber }
        for (id, _) in others.prefix(count) { try settle(id, in: batch) }
    }

    /// Recent payloads that a batch has not changed, and when they were.
    private func touchedBefore(_ batch: Int) -> [(id: PayloadID, time: Int64)] {
        recent.compactMap { $0.value.batch < batch ? ($0.key, $0.value.time) : nil }
    }

    /// Gives a recent payload its entries.
    private func settle(_ id: PayloadID, in batch: WriteBatch) throws(StreamError) {
        let known = recent.removeValue(forKey: id)?.facets
        let facets = if let known { known } else { try PayloadStore.facets(of: id, in: store) }
        try id.withUTF8 { key throws(StreamError) in
            try withStore { () throws(StoreError) in try batch.delete(PayloadStore.recent, key: key) }
            if let facets { putEntries(facets.terms, facets.rank, key) }
        }
    }

    // MARK: Entries

    private func putEntries(
        _ terms: some Sequence<ArraySlice<UInt8>>,
        _ rank: ArraySlice<UInt8>,
        _ id: UnsafeRawBufferPointer
    ) {
        for term in terms { changes.put(term, rank, id) }
    }

    private func deleteEntries(
        _ terms: some Sequence<ArraySlice<UInt8>>,
        _ rank: ArraySlice<UInt8>,
        _ id: UnsafeRawBufferPointer
    ) {
        for term in terms { changes.delete(term, rank, id) }
    }
}

/// Index entries that a batch is to put and to delete. They are gathered and written in the order of their keys: to find the place of a key
/// that comes anywhere takes RocksDB several times as long as that of one right behind the key before, and a payload has entries all
/// over the index.
private struct IndexChanges {
    /// All keys, one behind the other.
    private var bytes: [UInt8] = []
    private var changes: [Change] = []

    private struct Change {
        var start: Int
        var count: Int
        var isDeletion: Bool
    }

    mutating func put(_ term: ArraySlice<UInt8>, _ rank: ArraySlice<UInt8>, _ id: UnsafeRawBufferPointer) {
        append(term, rank, id, isDeletion: false)
    }

    mutating func delete(_ term: ArraySlice<UInt8>, _ rank: ArraySlice<UInt8>, _ id: UnsafeRawBufferPointer) {
        append(term, rank, id, isDeletion: true)
    }

    private mutating func append(
        _ term: ArraySlice<UInt8>,
        _ rank: ArraySlice<UInt8>,
        _ id: UnsafeRawBufferPointer,
        isDeletion: Bool
    ) {
        let start = bytes.count
        PayloadStore.appendIndexKey(term, rank, id, to: &bytes)
        changes.append(Change(start: start, count: bytes.count - start, isDeletion: isDeletion))
    }

    /// Hands them over to the batch.
    mutating func write(to batch: WriteBatch) throws(StreamError) {
        if changes.isEmpty { return }
        try bytes.span.bytes.withUnsafeBytes { bytes throws(StreamError) in
            let key = { (change: Change) in
                UnsafeRawBufferPointer(rebasing: bytes[change.start..<change.start + change.count])
            }
            // The sort is stable: of the same key the later change counts.
            let sorted = changes.sorted { ByteStrings.precedes(key($0), key($1)) }
            try withStore { () throws(StoreError) in
                try batch.fill(PayloadStore.index) { entries in
                    for change in sorted {
                        if change.isDeletion {
                            entries.delete(key(change))
                        } else {
                            entries.put(key(change), UnsafeRawBufferPointer(start: nil, count: 0))
                        }
                    }
                }
            }
        }
        bytes.removeAll(keepingCapacity: true)
        changes.removeAll(keepingCapacity: true)
    }
}
