import PayloadModel
import RocksStore
import StreamRuntime

/// Brings the timers and facets of a store in line with the settings, where they were computed with others. Goes through all payloads,
/// once.
enum PayloadRecomputation {
    private static let fingerprintKey = Array("timers".utf8)
    private static let batchBytes = 4 << 20

    static func run(in store: Database, rules: PayloadRules, index: PayloadIndex) throws(StreamError) {
        if try isUpToDate(store, rules) { return }
        do {
            let batch = WriteBatch(store)
            var iterator = try store.makeIterator(PayloadStore.payloads)
            var isValid = try iterator.seekToFirst()
            while isValid {
                try recompute(iterator.key, iterator.value, rules, index, in: batch)
                if batch.byteCount > batchBytes {
                    try index.finish(batch, at: 0)
                    try store.write(batch)
                    batch.clear()
                }
                isValid = try iterator.next()
            }
            try index.finish(batch, at: 0)
            try putUpToDate(rules, in: batch)
            try store.write(batch)
        } catch let error as StreamError {
            throw error
        } catch let error as StoreError {
            throw .store(error)
        } catch {
            throw PayloadStore.unreadable("a payload", in: store, error)
        }
    }

    /// Says that everything in the store was computed with these settings.
    static func putUpToDate(_ rules: PayloadRules, in batch: WriteBatch) throws(StoreError) {
        try batch.put(PayloadStore.settings, key: fingerprintKey, value: fingerprint(rules))
    }

    static func isUpToDate(_ store: Database, _ rules: PayloadRules) throws(StreamError) -> Bool {
        let known = try withStore { () throws(StoreError) in
            try store.value(PayloadStore.settings, forKey: fingerprintKey)
        }
        return known == fingerprint(rules)
    }

    private static func fingerprint(_ rules: PayloadRules) -> [UInt8] {
        let ignored = rules.ignoredServices.sorted().map(\.string)
        let required = rules.requiredServices.sorted().map(\.string)
        let stallAfter = rules.stallAfterByService.sorted { $0.key < $1.key }.map { "\($0.key.string)=\($0.value)" }
        return Array(
            """
            \(rules.completionSettle) \(rules.stallAfter) \(stallAfter) \(rules.retention) \(rules.stageRecovery) \(ignored) \(required)
            """.utf8
        )
    }

    private static func recompute(
        _ key: UnsafeRawBufferPointer,
        _ value: UnsafeRawBufferPointer,
        _ rules: PayloadRules,
        _ index: PayloadIndex,
        in batch: WriteBatch
    ) throws {
        let id = try PayloadID(normalizing: String(decoding: key, as: UTF8.self))
        let stored = try PayloadStore.decode(value, id: id)
        let timerAt = min(stored.state.nextTimer(rules), stored.timerAt)
        let facets = PayloadFacets(stored.state, rules: rules)
        if timerAt == stored.timerAt && facets == stored.facets { return }
        try index.replace(id, key, from: stored.facets, to: facets, at: 0, in: batch)
        let encoded = PayloadStore.encode(facets, PayloadStateCodec.encode(stored.state, timerAt: timerAt))
        try encoded.withUnsafeBytes { try batch.put(PayloadStore.payloads, key: key, value: $0) }
        if timerAt == stored.timerAt { return }
        try batch.delete(PayloadStore.timers, key: PayloadStore.timerKey(stored.timerAt, key))
        try batch.put(PayloadStore.timers, key: PayloadStore.timerKey(timerAt, key), value: [])
    }
}
