import Foundation
import PayloadModel
import RocksStore
import StreamRuntime
import Testing

@testable import PayloadTopology

/// A store that was filled at once has to be, key by key, what it would be had it been written record by record.
@Suite(.serialized) struct PayloadBulkRestorationTests {
    private static var rules: PayloadRules {
        var rules = PayloadRules()
        rules.completionSettle = 1_000_000
        rules.ignoredServices = ["ab"]
        return rules
    }

    /// A changelog with updates far from each other, outcomes that change, and tombstones.
    private static func written(seed: UInt64, payloads: Int = 500) throws -> ListedStore {
        var traffic = try ListTraffic(seed: seed, payloads: payloads, rules: rules)
        let store = try ListedStore(rules)
        for _ in 0..<20 {
            try store.commit(traffic.change(store.states, count: payloads / 4, at: store.now), after: 300_000)
        }
        #expect(store.changelog.contains { $0.value == nil })
        return store
    }

    /// Calls `body` with two new stores that belong to `store`.
    private func withStores(_ store: ListedStore, _ body: (Database, Database) throws -> Void) throws {
        let stores = try (store.emptyStore("one"), store.emptyStore("other"))
        defer {
            for store in [stores.0, stores.1] {
                store.close()
                try? FileManager.default.removeItem(atPath: store.path)
            }
        }
        try body(stores.0, stores.1)
    }

    /// Record by record, and with an entry for each payload.
    private func fold(_ store: ListedStore, into folded: Database) throws {
        try store.restore(store.changelog, batchSize: 50, into: folded)
        let index = try PayloadIndex(folded, now: 0)
        try PayloadRecomputation.run(in: folded, rules: store.rules, index: index)
        let batch = WriteBatch(folded)
        try index.finish(batch, at: 3_600_000_000)
        try folded.write(batch)
        #expect(try PayloadStore.recentIDs(in: folded).isEmpty)
    }

    private func expectEqual(_ one: Database, _ other: Database) throws {
        for family in PayloadStore.columnFamilies {
            let (a, b) = (try contents(family, one), try contents(family, other))
            #expect(a.count == b.count, "\(family.name)")
            for (a, b) in zip(a, b) {
                #expect(a.key == b.key, "\(family.name)")
                #expect(a.value == b.value, "\(family.name): \(a.key)")
            }
        }
    }

    private func contents(_ family: ColumnFamily, _ store: Database) throws -> [(key: [UInt8], value: [UInt8])] {
        var contents: [(key: [UInt8], value: [UInt8])] = []
        var iterator = try store.makeIterator(family)
        var isValid = try iterator.seekToFirst()
        while isValid {
            contents.append((Array(iterator.key), Array(iterator.value)))
            isValid = try iterator.next()
        }
        return contents
    }

    @Test(
        "A store that is filled at once equals one that was written record by record",
        arguments: [0, 7, 40, 1_000],
        1...3
    )
    func equality(runSize: Int, seed: UInt64) throws {
        let store = try PayloadBulkRestorationTests.written(seed: seed)
        try withStores(store) { filled, folded in
            try store.fill(filled, with: store.changelog, runSize: runSize)
            try fold(store, into: folded)
            try expectEqual(filled, folded)
            #expect(try PayloadStore.count(in: filled) == store.states.count)
            #expect(!FileManager.default.fileExists(atPath: "\(filled.path)/restoring"))
        }
    }

    @Test("Also with settings that bring timers forward")
    func otherSettings() throws {
        let store = try PayloadBulkRestorationTests.written(seed: 9)
        store.rules.completionSettle = 10_000
        store.rules.stallAfter = 20_000
        store.rules.retention = 3_000_000
        try withStores(store) { filled, folded in
            try store.fill(filled, with: store.changelog, runSize: 60)
            try fold(store, into: folded)
            try expectEqual(filled, folded)
        }
    }

    @Test(
        "A filling that was interrupted begins again or goes on behind its runs, and the result is the same",
        arguments: [0, 1, 3, 6, .max],
        [0, 40]
    )
    func interruption(completions: Int, runSize: Int) throws {
        let store = try PayloadBulkRestorationTests.written(seed: 5, payloads: 700)
        let most = store.changelog.count / 40 * 30
        try withStores(store) { filled, folded in
            try store.fill(
                filled,
                with: store.changelog[..<most],
                runSize: runSize,
                completions: completions,
                losesLastBatch: true
            )
            #expect(try PayloadBulkRestoration.isUnfinished(filled))
            // Without runs the store stands for no record. With them some come again, where the crash was before their offset was written.
            let rest = runSize == 0 ? store.changelog[...] : store.changelog[(most - runSize)...]
            try store.fill(filled, with: rest, isEmpty: runSize == 0, runSize: runSize)
            #expect(try !PayloadBulkRestoration.isUnfinished(filled))
            try fold(store, into: folded)
            try expectEqual(filled, folded)
        }
    }

    @Test("A store that was being filled, and whose runs are gone, is damaged")
    func missingRuns() throws {
        let store = try PayloadBulkRestorationTests.written(seed: 6, payloads: 100)
        try withStores(store) { filled, _ in
            try store.fill(filled, with: store.changelog, runSize: 10, completions: 0)
            try FileManager.default.removeItem(atPath: "\(filled.path)/restoring")
            let error = #expect(throws: StreamError.self) {
                try PayloadChangelogReader(rules: store.rules).makeRestoration(of: filled, isEmpty: false)
            }
            guard case .store(let reason) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(reason.kind == .corruption && reason.path == filled.path)
        }
    }

    @Test("A changelog of which nothing is left makes an empty store")
    func nothingLeft() throws {
        let store = try PayloadBulkRestorationTests.written(seed: 8, payloads: 100)
        let tombstones = store.changelog.map { (key: $0.key, value: [UInt8]?.none) }
        try withStores(store) { filled, other in
            try store.fill(filled, with: store.changelog + tombstones, runSize: 10)
            try store.fill(other, with: [])
            try expectEqual(filled, other)
            #expect(try PayloadStore.count(in: filled) == 0)
        }
    }
}
