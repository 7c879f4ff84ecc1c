import PayloadModel
import RocksStore
import StreamRuntime

/// Brings one payload store to the end of its changelog, index and counts included.
final class PayloadRestoration: Restoration {
    private let store: Database
    private let rules: PayloadRules
    private let index: PayloadIndex
    /// What the batch under way makes of payloads: a changelog that is not compacted yet has many records of one.
    private var pending: [PayloadID: PayloadStore.Traces?] = [:]

    init(_ store: Database, rules: PayloadRules) throws(StreamError) {
        self.store = store
        self.rules = rules
        // A standby whose traffic has ended settles nothing more, and may be asked for lists, too.
        var limits = PayloadIndex.Limits()
        limits.whileNot = limits.whileListed
        index = try PayloadIndex(store, now: 0, limits: limits)
    }

    func restore(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?, into batch: WriteBatch)
        throws(StreamError)
    {
        guard let id = PayloadStore.id(fromKey: key) else {
            throw .incompatible("the changelog has a key that is no payload id: another program writes to it")
        }
        let old: PayloadStore.Traces?
        if let traces = pending[id] { old = traces } else { old = try PayloadStore.traces(of: id, in: store) }
        guard let value else {
            try index.replace(id, key, from: old?.facets, to: nil, at: 0, in: batch)
            try withStore { () throws(StoreError) in
                try batch.delete(PayloadStore.payloads, key: key)
                if let old { try batch.delete(PayloadStore.timers, key: PayloadStore.timerKey(old.timerAt, key)) }
            }
            pending[id] = .some(nil)
            return
        }
        let restored: PayloadStore.Restored
        do {
            restored = try PayloadStore.Restored(value, id: id, rules: rules)
        } catch {
            throw .incompatible(
                "the changelog's record of payload \(id) cannot be read (\(error)): it is of another version or program"
            )
        }
        try index.replace(id, key, from: old?.facets, to: restored.facets, at: 0, in: batch)
        pending[id] = PayloadStore.Traces(facets: restored.facets, timerAt: restored.timerAt)
        var stored: [UInt8] = []
        restored.append(value, to: &stored)
        try stored.span.bytes.withUnsafeBytes { value throws(StreamError) in
            try withStore { () throws(StoreError) in
                try batch.put(PayloadStore.payloads, key: key, value: value)
                // A standby follows for months: what it left behind would add up.
                if let old, old.timerAt != restored.timerAt {
                    try batch.delete(PayloadStore.timers, key: PayloadStore.timerKey(old.timerAt, key))
                }
                try batch.put(PayloadStore.timers, key: PayloadStore.timerKey(restored.timerAt, key), value: [])
            }
        }
    }

    /// All is in the batch.
    var heldBytes: Int { 0 }

    func complete(into batch: WriteBatch) -> Bool { true }

    func completed() {}

    func finish(_ batch: WriteBatch) throws(StreamError) -> Bool {
        try index.finish(batch, at: 0)
        pending.removeAll(keepingCapacity: true)
        return false
    }
}
