import Foundation
import PayloadModel
import SeededRandom

/// What lists have to answer, found by looking at each payload's document: it shares nothing with the index.
struct ListModel {
    private var entries: [(position: ListPosition, document: [String: Any])] = []

    init(_ states: some Sequence<PayloadState>, rules: PayloadRules) throws {
        for state in states {
            var writer = JSONWriter()
            PayloadDocument(state, rules: rules).write(to: &writer, source: nil)
            guard let document = try JSONSerialization.jsonObject(with: Data(writer.bytes)) as? [String: Any],
                let updated = (document["updated_at"] as? String).flatMap(Timestamp.init(text:))
            else { throw Unreadable() }
            entries.append((ListPosition(updatedAt: updated, id: state.id), document))
        }
        entries.sort { $0.position < $1.position }
    }

    struct Unreadable: Error {}

    func positions(_ filter: PayloadFilter) -> [ListPosition] {
        entries.filter { ListModel.takes(filter, $0.position, $0.document) }.map(\.position)
    }

    private static func takes(_ filter: PayloadFilter, _ position: ListPosition, _ document: [String: Any]) -> Bool {
        func has(_ text: Text?, _ name: String) -> Bool { text.map { document[name] as? String == $0.string } ?? true }
        func contains(_ text: Text?, _ name: String) -> Bool {
            text.map { (document[name] as? [String] ?? []).contains($0.string) } ?? true
        }
        func serves(_ text: Text?, _ name: String) -> Bool {
            text.map { text in
                (document[name] as? [[String: Any]] ?? []).contains { $0["service"] as? String == text.string }
            } ?? true
        }
        return has(filter.account, "account") && has(filter.orgID, "org_id")
            && has(filter.status.map { Text($0.name) }, "status")
            && has(filter.outcome.map { Text($0.name) }, "outcome")
            && contains(filter.inventoryID, "inventory_ids") && contains(filter.systemID, "system_ids")
            && serves(filter.service, "stages") && serves(filter.failedService, "failed_stages")
            && (filter.since.map { position.updatedAt >= $0 } ?? true)
            && (filter.until.map { position.updatedAt < $0 } ?? true)
    }
}

/// Random payloads whose values meet often, and random questions about them.
struct ListTraffic {
    var random: SplitMix64
    var rules: PayloadRules
    private let ids: [PayloadID]
    private let services = ["ingress", "puptoo", "advisor", "a", "ab"]
    private let dates = 40

    /// - Parameter partition: ids differ between partitions.
    init(seed: UInt64, payloads: Int, partition: Int32 = 0, rules: PayloadRules) throws {
        random = SplitMix64(seed: seed)
        self.rules = rules
        // Ids that begin with one another, and some that are UUIDs.
        ids = try (0..<payloads).map { number in
            let text = String(repeating: "x", count: number % 7 + 1) + "\(number)-\(partition)"
            let uuid = String(format: "%08d%024x", partition, number)
            return try PayloadID(normalizing: number % 3 == 0 ? text : uuid)
        }
    }

    /// Some payloads as they are after further messages, or gone.
    mutating func change(_ states: [PayloadID: PayloadState], count: Int, at now: Int64) throws -> [PayloadState] {
        var changed: [PayloadID: PayloadState] = [:]
        for _ in 0..<count {
            let id = random.pick(ids)
            var state = changed[id] ?? states[id] ?? PayloadState(id: id)
            if random.oneIn(12) {
                changed[id] = PayloadState(id: id)
                continue
            }
            for _ in 0..<(1 + random.below(4)) {
                let result = try state.fold(message(for: id), rules: rules)
                _ = state.judge(
                    after: result == .entryAdded ? .entry : .time,
                    at: Timestamp(microseconds: now),
                    rules: rules
                )
            }
            if random.oneIn(3) {
                // A timer.
                _ = state.judge(after: .time, at: Timestamp(microseconds: now + rules.completionSettle), rules: rules)
            }
            changed[id] = state
        }
        return Array(changed.values)
    }

    private mutating func message(for id: PayloadID) -> StatusMessage {
        let status = random.oneIn(3) ? random.pick(Status.allCases) : .success
        let date = Timestamp(microseconds: Int64(random.below(dates)) * 1_000_000 - 20_000_000)
        return StatusMessage(
            payloadID: id,
            service: Text(random.pick(services)),
            source: random.oneIn(4) ? "s" : nil,
            entry: StatusEntry(date: date, status: status, rawStatus: Text(status.name)),
            account: random.oneIn(2) ? Text("a\(random.below(4))") : nil,
            orgID: random.oneIn(2) ? Text("\(random.below(3))") : nil,
            inventoryID: random.oneIn(2) ? Text("i\(random.below(25))") : nil,
            systemID: random.oneIn(2) ? Text("s\(random.below(60))") : nil
        )
    }

    /// A setter for each filter, with a value that mostly exists.
    mutating func settings() -> [(name: String, set: (inout PayloadFilter) -> Void)] {
        let inventoryID = Text("i\(random.below(26))")
        let systemID = Text("s\(random.below(61))")
        let account = Text("a\(random.below(5))")
        let orgID = Text("\(random.below(4))")
        let status = random.pick(Status.allCases)
        let outcome = random.pick(Outcome.allCases)
        let (service, failed) = (Text(random.pick(services)), Text(random.pick(services)))
        let since = Timestamp(microseconds: Int64(random.below(dates)) * 1_000_000 - 20_000_000)
        let until = Timestamp(microseconds: Int64(random.below(dates)) * 1_000_000 - 20_000_000)
        return [
            ("inventory_id", { $0.inventoryID = inventoryID }), ("system_id", { $0.systemID = systemID }),
            ("account", { $0.account = account }), ("org_id", { $0.orgID = orgID }),
            ("status", { $0.status = status }), ("outcome", { $0.outcome = outcome }),
            ("service", { $0.service = service }), ("failed_service", { $0.failedService = failed }),
            ("since", { $0.since = since }), ("until", { $0.until = until }),
        ]
    }
}
