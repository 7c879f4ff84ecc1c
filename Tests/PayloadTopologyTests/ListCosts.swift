import Foundation
import PayloadModel
import RocksStore
import StreamRuntime
import Testing
import SeededRandom

@testable import PayloadTopology

private let sizes = (ProcessInfo.processInfo.environment["LIST_COSTS"] ?? "").split(separator: ",").compactMap {
    Int($0)
}

/// A benchmark and no test: what lists, lookups and the index cost, over stores of the sizes that the environment variable LIST_COSTS names.
///
///     LIST_COSTS=10000,100000,1000000 swift test -c release -Xswiftc -enable-testing --filter ListCosts
@Suite(.serialized, .enabled(if: !sizes.isEmpty, "LIST_COSTS names sizes")) struct ListCosts {
    private static let rules = PayloadRules()
    private static let memory = StoreMemory(blockCacheBytes: 128 << 20, writeBufferBytes: 64 << 20)

    @Test("Pages over stores of several sizes", arguments: sizes)
    func pages(payloads: Int) throws {
        let store = try ListCosts.store("pages-\(payloads)")
        defer { ListCosts.remove(store) }
        let restoring = try ListCosts.seconds { try fill(store, payloads) }
        print("\(payloads) payloads: \(ListCosts.microseconds(restoring, per: payloads)) µs to restore each")
        var filters: [(String, PayloadFilter)] = [("none", PayloadFilter())]
        for (name, value) in [
            ("inventory_id", "i\(payloads / 2)"), ("account", "a7"), ("status", "failure"), ("outcome", "open"),
            ("service", "ingress"),
        ] {
            filters.append((name, try PayloadFilter([name: value])))
        }
        filters.append(("status and account", try PayloadFilter(["status": "failure", "account": "a50"])))
        filters.append(("two common ones", try PayloadFilter(["service": "ingress", "outcome": "open"])))
        filters.append(("two that never meet", try PayloadFilter(["service": "odd", "org_id": "even"])))
        for (name, filter) in filters {
            let repetitions = 20
            var items = 0
            let time = try ListCosts.seconds {
                for _ in 0..<repetitions {
                    items = try PayloadList.page(of: [0: store], filter, after: nil, limit: 50).items.count
                }
            }
            print("  \(name): \(ListCosts.microseconds(time, per: repetitions)) µs for \(items) items")
        }
        try lookups(store, payloads)
    }

    /// Of payloads all over the store, each once, so that more of a small store is in the cache.
    private func lookups(_ store: Database, _ payloads: Int) throws {
        let count = 2_000
        let known = try (0..<count).map { try ListCosts.id($0 * (payloads / count)) }
        let unknown = try (0..<count).map { try ListCosts.id(payloads + $0) }
        var found = 0
        let looks: [(String, [PayloadID], (PayloadState) -> Int)] = [
            ("a lookup", known, { ListCosts.json($0).isEmpty ? 0 : 1 }),
            (
                "a page of a history", known,
                { PayloadDocument.statuses(of: $0, limit: 10, rules: ListCosts.rules).count }
            ),
            ("a lookup of what is not there", unknown, { _ in 1 }),
        ]
        for (name, ids, look) in looks {
            found = 0
            let time = try ListCosts.seconds {
                for id in ids { found += try PayloadStore.payload(id, in: store).map(look) ?? 0 }
            }
            print("  \(name): \(ListCosts.microseconds(time, per: count)) µs, \(found) of \(count) found")
        }
    }

    @Test("Commits of payloads that go on changing, with the index and without")
    func commits() throws {
        for isIndexed in [false, true] {
            let store = try ListCosts.store("commits-\(isIndexed)")
            defer { ListCosts.remove(store) }
            let (messages, time) = try commit(to: store, isIndexed: isIndexed)
            print(
                "\(isIndexed ? "with" : "without") index: \(ListCosts.microseconds(time, per: messages)) µs a message"
            )
        }
    }

    /// Uploads of 17 messages, 400 open at once, each commit holding one message of each: the worst for what is done once a commit.
    private func commit(to store: Database, isIndexed: Bool) throws -> (messages: Int, seconds: Double) {
        let index = try PayloadIndex(store, now: 1)
        var written: [PayloadID: PayloadFacets] = [:]
        var messages = 0
        var seconds = 0.0
        let batch = WriteBatch(store)
        for round in 0..<5 {
            var states = try (0..<400).map { PayloadState(id: try ListCosts.id(round * 400 + $0)) }
            for step in 0..<17 {
                for number in states.indices {
                    _ = try states[number].fold(ListCosts.message(states[number].id, step), rules: ListCosts.rules)
                }
                let now = Int64(round * 17 + step) * 500_000 + 2
                seconds += try ListCosts.seconds {
                    for state in states {
                        let encoded = PayloadStateCodec.encode(state, timerAt: state.changedAt)
                        let facets = isIndexed ? PayloadFacets(state, rules: ListCosts.rules) : nil
                        try state.id.withUTF8 { key in
                            if let facets {
                                try index.replace(
                                    state.id,
                                    key,
                                    from: written[state.id],
                                    to: facets,
                                    at: now,
                                    in: batch
                                )
                                written[state.id] = facets
                            }
                            let value = facets.map { PayloadStore.encode($0, encoded) } ?? encoded
                            try value.withUnsafeBytes { try batch.put(PayloadStore.payloads, key: key, value: $0) }
                        }
                    }
                    if isIndexed { try index.finish(batch, at: now) }
                    try store.write(batch)
                    batch.clear()
                }
                messages += states.count
            }
        }
        return (messages, seconds)
    }

    private static func json(_ state: PayloadState) -> [UInt8] {
        var writer = JSONWriter()
        PayloadDocument(state, rules: rules).write(to: &writer, source: nil)
        return writer.bytes
    }

    private static func message(_ id: PayloadID, _ step: Int) -> StatusMessage {
        StatusMessage(
            payloadID: id,
            service: Text("service-\(step / 3)"),
            entry: StatusEntry(
                date: Timestamp(microseconds: Int64(step) * 1_000),
                status: [.received, .processing, .success][step % 3],
                rawStatus: "word"
            ),
            account: "540155",
            orgID: "1979710",
            inventoryID: step > 8 ? "c0ffee00-0000-4000-8000-000000000001" : nil
        )
    }

    private func fill(_ store: Database, _ payloads: Int) throws {
        let restoration = try PayloadChangelogReader(rules: ListCosts.rules).makeRestoration(of: store, isEmpty: true)
        let batch = WriteBatch(store)
        for number in 0..<payloads {
            let id = try ListCosts.id(number)
            var state = PayloadState(id: id)
            for service in ["ingress", number % 2 == 0 ? "even" : "odd"] {
                let message = StatusMessage(
                    payloadID: id,
                    service: Text(service),
                    entry: StatusEntry(
                        date: Timestamp(microseconds: Int64(number) * 1_000),
                        status: number % 100 == 50 && service != "ingress" ? .failure : .success,
                        rawStatus: "word"
                    ),
                    account: Text("a\(number % 1_000)"),
                    orgID: number % 2 == 0 ? "even" : "odd",
                    inventoryID: Text("i\(number)")
                )
                _ = try state.fold(message, rules: ListCosts.rules)
            }
            let encoded = PayloadStateCodec.encode(state, timerAt: state.changedAt)
            try id.withUTF8 { key in
                try encoded.withUnsafeBytes { try restoration.restore(key: key, value: $0, into: batch) }
            }
            if restoration.heldBytes > 64 << 20 { _ = try restoration.finish(batch) }
        }
        var isDone = false
        while !isDone {
            isDone = try restoration.complete(into: batch)
            try store.write(batch)
            batch.clear()
        }
        try restoration.completed()
    }

    private static func id(_ number: Int) throws -> PayloadID {
        // Spread like UUIDs, so that neighbours in time are none in the store.
        var random = SplitMix64(seed: UInt64(number))
        return try PayloadID(normalizing: String(format: "%016lx%016lx", random.next(), random.next()))
    }

    private static func store(_ name: String) throws -> Database {
        let directory = FileManager.default.temporaryDirectory.path + "/list-costs-\(name)-\(UUID().uuidString)"
        return try Database(path: directory, columnFamilies: PayloadStore.columnFamilies, memory: memory)
    }

    private static func remove(_ store: Database) {
        store.close()
        try? FileManager.default.removeItem(atPath: store.path)
    }

    private static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let time = try ContinuousClock().measure(body)
        return time / .seconds(1)
    }

    private static func microseconds(_ seconds: Double, per count: Int) -> String {
        String(format: "%.1f", seconds * 1e6 / Double(count))
    }
}
