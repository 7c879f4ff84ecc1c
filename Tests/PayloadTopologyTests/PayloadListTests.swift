import Foundation
import PayloadModel
import RocksStore
import StreamRuntime
import Testing
import SeededRandom

@testable import PayloadTopology

/// A list that lacks a payload, or shows one that does not belong there, hides what failed.
@Suite(.serialized) struct PayloadListTests {
    private static var rules: PayloadRules {
        var rules = PayloadRules()
        rules.completionSettle = 1_000_000
        rules.ignoredServices = ["ab"]
        return rules
    }

    /// Three partitions whose recent payloads are few, so that all paths are taken.
    private struct Partitions {
        var stores: [Int32: ListedStore] = [:]
        var traffic: [Int32: ListTraffic] = [:]

        init(seed: UInt64, payloads: Int = 450, maxRecent: Int = 8) throws {
            for partition in 0..<Int32(3) {
                stores[partition] = try ListedStore(
                    rules,
                    limits: PayloadIndex.Limits(whileListed: maxRecent, whileNot: 3 * maxRecent)
                )
                traffic[partition] = try ListTraffic(
                    seed: seed &* 31 &+ UInt64(partition),
                    payloads: payloads / 3,
                    partition: partition,
                    rules: rules
                )
            }
        }

        /// Returns the payloads that changed.
        @discardableResult
        mutating func commit(_ count: Int, after microseconds: Int64) throws -> Set<PayloadID> {
            var ids: Set<PayloadID> = []
            for (partition, store) in stores {
                let changed = try traffic[partition]?.change(store.states, count: count, at: store.now) ?? []
                try store.commit(changed, after: microseconds)
                ids.formUnion(changed.map(\.id))
            }
            return ids
        }

        var databases: [Int32: Database] { stores.mapValues(\.database) }

        func model() throws -> ListModel {
            try ListModel(stores.values.flatMap { $0.states.values }, rules: rules)
        }

        func all(_ filter: PayloadFilter, limit: Int, maxSteps: Int = PayloadList.maxSteps) throws -> [ListPosition] {
            try PayloadListTests.all(of: databases, filter, limit: limit, maxSteps: maxSteps)
        }
    }

    private static func limits(_ maxRecent: Int) -> PayloadIndex.Limits {
        PayloadIndex.Limits(whileListed: maxRecent, whileNot: 2 * maxRecent)
    }

    /// All pages, one after another.
    private static func all(
        of stores: [Int32: Database],
        _ filter: PayloadFilter,
        limit: Int,
        maxSteps: Int
    ) throws -> [ListPosition] {
        var found: [ListPosition] = []
        var start: ListPosition?
        repeat {
            let page = try PayloadList.page(of: stores, filter, after: start, limit: limit, maxSteps: maxSteps)
            #expect(page.items.count <= limit)
            found += page.items.compactMap(position)
            if let start, let next = page.next { #expect(start < next, "a page has to lead on") }
            start = page.next
        } while start != nil
        return found
    }

    private static func position(_ item: PayloadList.Item) -> ListPosition? {
        item.state.updatedAt.map { ListPosition(updatedAt: $0, id: item.state.id) }
    }

    /// 450 payloads, and as many as the environment variable LIST_PAYLOADS says: 100,000 take some minutes.
    private static let sizes =
        [450] + (ProcessInfo.processInfo.environment["LIST_PAYLOADS"].flatMap { Int($0) }.map { [$0] } ?? [])

    @Test("Each filter and each pair of filters gives what looking at every payload gives", arguments: sizes, 1...2)
    func filtersAgainstTheModel(payloads: Int, seed: UInt64) throws {
        let isLarge = payloads > 1_000
        var partitions = try Partitions(seed: seed, payloads: payloads, maxRecent: isLarge ? 512 : 8)
        for round in 0..<(isLarge ? 2 : 4) {
            for _ in 0..<6 { try partitions.commit(payloads / 11, after: Int64(round) * 900_000) }
            let model = try partitions.model()
            #expect(try partitions.all(PayloadFilter(), limit: 17) == model.positions(PayloadFilter()))
            var questions = SplitMix64(seed: seed &+ UInt64(round))
            var traffic = try ListTraffic(seed: questions.next(), payloads: 1, rules: PayloadListTests.rules)
            let settings = traffic.settings()
            for first in settings.indices {
                for second in settings[first...] {
                    var filter = PayloadFilter()
                    settings[first].set(&filter)
                    second.set(&filter)
                    let limit = isLarge ? 500 : 1 + questions.below(30)
                    let maxSteps = isLarge ? PayloadList.maxSteps : questions.pick([1, 3, 40, PayloadList.maxSteps])
                    #expect(
                        try partitions.all(filter, limit: limit, maxSteps: maxSteps) == model.positions(filter),
                        "\(settings[first].name) and \(second.name), limit \(limit), steps \(maxSteps)"
                    )
                }
            }
        }
        for store in partitions.stores.values { #expect(try store.problems().isEmpty) }
    }

    @Test("All filters at once give what looking at every payload gives")
    func manyFilters() throws {
        var partitions = try Partitions(seed: 77)
        for _ in 0..<12 { try partitions.commit(60, after: 700_000) }
        let model = try partitions.model()
        var traffic = try ListTraffic(seed: 5, payloads: 1, rules: PayloadListTests.rules)
        for _ in 0..<300 {
            var filter = PayloadFilter()
            for setting in traffic.settings() where traffic.random.oneIn(3) { setting.set(&filter) }
            #expect(try partitions.all(filter, limit: 9) == model.positions(filter))
        }
    }

    @Test("Pages show each payload that stays as it is exactly once, while others change")
    func pagesWhileDataChanges() throws {
        var partitions = try Partitions(seed: 9, maxRecent: 20)
        for _ in 0..<15 { try partitions.commit(60, after: 400_000) }
        var filter = PayloadFilter()
        filter.service = "ingress"
        let before = try partitions.model().positions(filter)
        var changed: Set<PayloadID> = []
        var seen: [ListPosition] = []
        var start: ListPosition?
        repeat {
            let page = try PayloadList.page(of: partitions.databases, filter, after: start, limit: 7)
            seen += page.items.compactMap(PayloadListTests.position)
            start = page.next
            changed.formUnion(try partitions.commit(2, after: 2_000_000))
        } while start != nil
        #expect(zip(seen, seen.dropFirst()).allSatisfy { $0 < $1 })
        let kept = before.filter { !changed.contains($0.id) }
        #expect(seen.filter { !changed.contains($0.id) } == kept && kept.count > 10)
    }

    @Test("Filters without a payload in common end after bounded pages, and not in one long look")
    func boundedWork() throws {
        let store = try ListedStore()
        for number in 0..<400 {
            let id = try PayloadID(normalizing: "p\(number)")
            var state = PayloadState(id: id)
            let entry = StatusEntry(
                date: Timestamp(microseconds: Int64(number)),
                status: .success,
                rawStatus: "success"
            )
            let message = StatusMessage(
                payloadID: id,
                service: "s",
                entry: entry,
                account: number % 2 == 0 ? "even" : "odd",
                orgID: number % 2 == 0 ? "1" : "2"
            )
            _ = try state.fold(message, rules: store.rules)
            try store.commit([state])
        }
        try store.commit([], after: 60_000_000)
        var filter = PayloadFilter()
        filter.account = "even"
        filter.orgID = "2"
        var pages = 0
        var start: ListPosition?
        repeat {
            let page = try PayloadList.page(of: [0: store.database], filter, after: start, limit: 50, maxSteps: 100)
            #expect(page.items.isEmpty)
            pages += 1
            start = page.next
        } while start != nil
        #expect(pages > 2 && pages < 20)
    }

    @Test(
        "A store that was closed and opened again answers the same, and goes on",
        arguments: 1...3 as ClosedRange<UInt64>
    )
    func reopening(seed: UInt64) throws {
        var partitions = try Partitions(seed: seed)
        for _ in 0..<5 {
            for _ in 0..<4 { try partitions.commit(30, after: 1_200_000) }
            for store in partitions.stores.values { try store.reopen() }
            #expect(try partitions.all(PayloadFilter(), limit: 50) == partitions.model().positions(PayloadFilter()))
            for store in partitions.stores.values { #expect(try store.problems().isEmpty) }
        }
    }

    @Test(
        "A store that is restored from its changelog, at once or bit by bit, has the same lists",
        arguments: [1, 7, 1_000]
    )
    func restoring(batchSize: Int) throws {
        var traffic = try ListTraffic(seed: UInt64(batchSize), payloads: 900, rules: PayloadListTests.rules)
        let store = try ListedStore(PayloadListTests.rules)
        for _ in 0..<20 {
            try store.commit(traffic.change(store.states, count: 150, at: store.now), after: 300_000)
        }
        let restored = try store.emptyStore("restored")
        defer {
            restored.close()
            try? Database.destroy(path: restored.path)
        }
        let half = store.changelog.count / 2
        try store.restore(store.changelog[..<half], batchSize: batchSize, into: restored)
        // What was restored before is restored again where a crash left the offset behind.
        try store.restore(store.changelog[(half / 2)...], batchSize: batchSize, into: restored)
        // A standby that left the timers of earlier states behind would grow for ever.
        #expect(try store.timerCount(of: restored) == store.states.count)
        try check(restored, store, &traffic)
    }

    @Test("A lost store that is filled anew finds what it found before")
    func filling() throws {
        var traffic = try ListTraffic(seed: 7, payloads: 900, rules: PayloadListTests.rules)
        let store = try ListedStore(PayloadListTests.rules)
        for _ in 0..<20 {
            try store.commit(traffic.change(store.states, count: 150, at: store.now), after: 300_000)
        }
        let filled = try store.emptyStore("filled")
        defer {
            filled.close()
            try? Database.destroy(path: filled.path)
        }
        let most = store.changelog.count * 3 / 4
        try store.fill(filled, with: store.changelog[..<most])
        try store.restore(store.changelog[most...], batchSize: 50, into: filled)
        try check(filled, store, &traffic)
    }

    private func check(_ restored: Database, _ store: ListedStore, _ traffic: inout ListTraffic) throws {
        let reader = PayloadChangelogReader(rules: store.rules)
        #expect(try reader.differences(of: restored, from: store.database).isEmpty)
        #expect(try PayloadInspection.problems(of: restored, rules: store.rules, atMost: 5).isEmpty)
        let model = try ListModel(store.states.values, rules: store.rules)
        for setting in traffic.settings() {
            var filter = PayloadFilter()
            setting.set(&filter)
            let found = try PayloadListTests.all(of: [0: restored], filter, limit: 40, maxSteps: PayloadList.maxSteps)
            #expect(found == model.positions(filter), "\(setting.name)")
        }
    }

    @Test("What a change of settings makes of a payload, its lists say, too")
    func changedSettings() throws {
        var traffic = try ListTraffic(seed: 4, payloads: 200, rules: PayloadListTests.rules)
        let store = try ListedStore(PayloadListTests.rules, limits: PayloadListTests.limits(30))
        for _ in 0..<10 { try store.commit(traffic.change(store.states, count: 60, at: store.now), after: 900_000) }
        store.rules.ignoredServices = ["puptoo"]
        store.rules.stageRecovery = .sticky
        try store.reopen()
        #expect(try store.problems().isEmpty)
        let model = try ListModel(store.states.values, rules: store.rules)
        for setting in traffic.settings() {
            var filter = PayloadFilter()
            setting.set(&filter)
            let found = try PayloadListTests.all(of: [0: store.database], filter, limit: 40, maxSteps: 1_000)
            #expect(found == model.positions(filter), "\(setting.name)")
        }
    }

    @Test(
        "Payloads that have no entries get them when somebody asks for lists, some with each commit"
    )
    func demand() throws {
        let store = try ListedStore(
            PayloadListTests.rules,
            limits: PayloadIndex.Limits(whileListed: 10, whileNot: 5_000)
        )
        var traffic = try ListTraffic(seed: 7, payloads: 3_000, rules: PayloadListTests.rules)
        let model = {
            try ListModel(store.states.values, rules: store.rules).positions(PayloadFilter())
        }
        let recent = { try PayloadStore.recentIDs(in: store.database).count }
        for _ in 0..<2 { try store.commit(traffic.change(store.states, count: 2_000, at: store.now)) }
        let open = try recent()
        #expect(open > 1_034)
        #expect(
            try PayloadListTests.all(of: [0: store.database], PayloadFilter(), limit: 400, maxSteps: 5_000) == model()
        )
        store.demand.asked()
        try store.commit([])
        #expect(try recent() == open, "what holds for a batch is known before it")
        try store.commit([])
        #expect(try recent() == open - 1_024)
        for _ in 0..<2 { try store.commit([]) }
        #expect(try recent() == 10)
        #expect(
            try PayloadListTests.all(of: [0: store.database], PayloadFilter(), limit: 400, maxSteps: 5_000) == model()
        )
        #expect(try store.problems().isEmpty)
    }

    @Test("Payloads that are gone leave nothing behind")
    func expiry() throws {
        var traffic = try ListTraffic(seed: 6, payloads: 100, rules: PayloadListTests.rules)
        let store = try ListedStore(PayloadListTests.rules, limits: PayloadListTests.limits(10))
        for _ in 0..<10 { try store.commit(traffic.change(store.states, count: 60, at: store.now), after: 900_000) }
        try store.commit(store.states.keys.map { PayloadState(id: $0) })
        #expect(try PayloadListTests.all(of: [0: store.database], PayloadFilter(), limit: 50, maxSteps: 50).isEmpty)
        #expect(try store.problems().isEmpty)
        #expect(try PayloadStore.counts(in: store.database).isEmpty)
        #expect(try PayloadStore.recentIDs(in: store.database).isEmpty)
    }

    @Test("An index that was damaged is found out")
    func inspection() throws {
        var traffic = try ListTraffic(seed: 8, payloads: 100, rules: PayloadListTests.rules)
        let store = try ListedStore(PayloadListTests.rules, limits: PayloadListTests.limits(10))
        for _ in 0..<10 { try store.commit(traffic.change(store.states, count: 60, at: store.now), after: 900_000) }
        for family in [PayloadStore.index, PayloadStore.counts] {
            let key = try firstKey(family, store.database)
            let batch = WriteBatch(store.database)
            try batch.delete(family, key: key)
            try store.database.write(batch)
            #expect(try !store.problems().isEmpty)
            batch.clear()
            try batch.put(family, key: key, value: [])
            try batch.put(family, key: key + [1], value: PayloadStore.encodeCount(1))
            try store.database.write(batch)
            #expect(try !store.problems().isEmpty)
        }
    }

    @Test("The summary counts what the documents say")
    func summary() throws {
        var partitions = try Partitions(seed: 12)
        for _ in 0..<10 { try partitions.commit(60, after: 700_000) }
        let summary = try PayloadSummary(of: partitions.databases.values)
        let states = partitions.stores.values.flatMap { $0.states.values }
        #expect(summary.payloads == states.count)
        let counts = try partitions.databases.values.map { try PayloadStore.count(in: $0) }
        #expect(counts.reduce(0, +) == states.count)
        #expect(summary.outcomes == Dictionary(states.map { ($0.outcome, 1) }) { $0 + $1 })
        #expect(summary.statuses == Dictionary(states.map { ($0.status(PayloadListTests.rules), 1) }) { $0 + $1 })
        let failing = states.flatMap { $0.failingServices(PayloadListTests.rules) }
        #expect(summary.failingServices == Dictionary(failing.map { ($0, 1) }) { $0 + $1 })
    }

    private func firstKey(_ family: ColumnFamily, _ store: Database) throws -> [UInt8] {
        var iterator = try store.makeIterator(family)
        try #require(try iterator.seekToFirst())
        return Array(iterator.key)
    }
}
