import PayloadModel
import RocksStore
import StreamRuntime
import Testing

@testable import PayloadTopology

/// What stays in memory between commits.
@Suite struct PayloadCacheTests {
    private static let maxBytes = 256 << 10
    /// Payloads without entries that fit, by the cache's own estimate of a KiB each.
    private static let fitting = maxBytes >> 10

    private func ids(_ range: Range<Int>) throws -> [PayloadID] {
        try range.map { try PayloadID(normalizing: "payload-\($0)") }
    }

    @Test(
        "However many payloads a commit has, no more stay than fit, and a replay that changes nothing counts, too",
        arguments: [true, false]
    )
    func bound(changes: Bool) throws {
        let store = try ListedStore()
        var cache = PayloadCache(store.database, maxBytes: PayloadCacheTests.maxBytes)
        for id in try ids(0..<20 * PayloadCacheTests.fitting) {
            let payload = try cache.payload(id)
            if changes { cache.markDirty(payload, addedBytes: 0, recordTimestamp: nil) }
        }
        cache.committed()
        #expect(cache.count > 0)
        #expect(cache.count <= PayloadCacheTests.fitting)
        // One after the other as well.
        for id in try ids(100_000..<100_000 + 20 * PayloadCacheTests.fitting) {
            _ = try cache.payload(id)
            cache.committed()
            #expect(cache.count <= PayloadCacheTests.fitting + 1)
        }
    }

    @Test("A payload that is asked for again and again stays the same object while others come and go")
    func generations() throws {
        let store = try ListedStore()
        var cache = PayloadCache(store.database, maxBytes: PayloadCacheTests.maxBytes)
        let wanted = try PayloadID(normalizing: "wanted")
        let payload = try cache.payload(wanted)
        var others = try ids(0..<10 * PayloadCacheTests.fitting).makeIterator()
        while let other = others.next() {
            _ = try cache.payload(other)
            #expect(try cache.payload(wanted) === payload)
            cache.committed()
        }
    }
}
