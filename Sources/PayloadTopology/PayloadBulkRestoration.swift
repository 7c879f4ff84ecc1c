import PayloadModel
import RocksStore
import StreamRuntime

/// Fills a payload store that was empty from its changelog: first what the records hold, as they come; then, once for each payload
/// that is left, what timers, lists and counts need. A changelog has a record for every commit that a payload changed in until the
/// broker compacts it, mostly not far from each other: of those that are held together only the last is written.
///
/// A store says while it is being filled like this. When that was interrupted, records are read on, and the second part begins anew.
final class PayloadBulkRestoration: Restoration {
    private let store: Database
    private let rules: PayloadRules
    /// The last record of each key that is not in a batch yet; nil: a tombstone.
    private var held: [[UInt8]: [UInt8]?] = [:]
    private(set) var heldBytes = 0
    /// Of the second part.
    private var index: PayloadIndex?
    /// Where the second part goes on.
    private var nextKey: [UInt8] = []

    private static let markKey = Array("being-filled".utf8)
    private let batchBytes: Int

    /// - Parameter batchBytes: of what `complete` puts into a batch, about.
    init(_ store: Database, rules: PayloadRules, batchBytes: Int = 1 << 20) throws(StreamError) {
        self.store = store
        self.rules = rules
        self.batchBytes = batchBytes
        try withStore { () throws(StoreError) in
            let batch = WriteBatch(store)
            try batch.put(PayloadStore.settings, key: PayloadBulkRestoration.markKey, value: [])
            try store.write(batch)
        }
    }

    static func isUnfinished(_ store: Database) throws(StreamError) -> Bool {
        try withStore { () throws(StoreError) in try store.value(PayloadStore.settings, forKey: markKey) } != nil
    }

    func restore(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?, into batch: WriteBatch) {
        heldBytes += key.count + (value?.count ?? 0) + PayloadBulkRestoration.heldOverhead
        held[Array(key)] = .some(value.map { PayloadStore.encodeWithoutFacets($0) })
    }

    /// Of a key in `held`, in bytes.
    private static let heldOverhead = 128

    func finish(_ batch: WriteBatch) throws(StreamError) {
        // In their order, which is what RocksDB inserts fastest.
        for key in held.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            try withStore { () throws(StoreError) in
                if let value = held[key] ?? nil {
                    try batch.put(PayloadStore.payloads, key: key, value: value)
                } else {
                    try batch.delete(PayloadStore.payloads, key: key)
                }
            }
        }
        held.removeAll(keepingCapacity: true)
        heldBytes = 0
    }

    func complete(into batch: WriteBatch) throws(StreamError) -> Bool {
        let index = try begun()
        do {
            var iterator = try store.makeIterator(PayloadStore.payloads, range: KeyRange(from: nextKey))
            var isValid = try iterator.seekToFirst()
            while isValid {
                if batch.byteCount > batchBytes {
                    nextKey = Array(iterator.key)
                    try index.finish(batch, at: 0)
                    return false
                }
                try complete(iterator.key, iterator.value, index, batch)
                isValid = try iterator.next()
            }
            try index.finish(batch, at: 0)
            try batch.delete(PayloadStore.settings, key: PayloadBulkRestoration.markKey)
            try PayloadRecomputation.putUpToDate(rules, in: batch)
            return true
        } catch let error as StreamError {
            throw error
        } catch let error as StoreError {
            throw .store(error)
        } catch {
            throw .incompatible(
                "a record of the changelog cannot be read (\(error)): it is of another version or program"
            )
        }
    }

    private func complete(
        _ key: UnsafeRawBufferPointer,
        _ value: UnsafeRawBufferPointer,
        _ index: PayloadIndex,
        _ batch: WriteBatch
    ) throws {
        guard let id = PayloadStore.id(fromKey: key) else {
            throw StreamError.incompatible(
                "the changelog has a key that is no payload id: another program writes to it"
            )
        }
        let restored = try PayloadStore.restored(try PayloadStore.split(value).state, id: id, rules: rules)
        try restored.value.withUnsafeBytes { try batch.put(PayloadStore.payloads, key: key, value: $0) }
        try batch.put(PayloadStore.timers, key: PayloadStore.timerKey(restored.timerAt, key), value: [])
        index.insert(restored.facets, key)
    }

    /// What an interrupted second part left behind is in the way of this one.
    private func begun() throws(StreamError) -> PayloadIndex {
        if let index { return index }
        try withStore { () throws(StoreError) in
            for family in [PayloadStore.index, PayloadStore.timers, PayloadStore.counts, PayloadStore.recent] {
                try deleteAll(of: family)
            }
        }
        let index = try PayloadIndex(store, now: 0)
        self.index = index
        return index
    }

    private func deleteAll(of family: ColumnFamily) throws(StoreError) {
        let batch = WriteBatch(store)
        var iterator = try store.makeIterator(family)
        var isValid = try iterator.seekToFirst()
        while isValid {
            try batch.delete(family, key: iterator.key)
            isValid = try iterator.next()
            if batch.byteCount > batchBytes || !isValid {
                try store.write(batch)
                batch.clear()
            }
        }
    }
}
