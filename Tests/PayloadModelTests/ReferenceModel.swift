import Foundation
import PayloadModel

/// The contract's section 3 as a function of the whole set of messages, written naively from its text and apart from the
/// module. It knows everything that ever came, so it never trims.
struct ReferenceModel {
    typealias Bytes = [UInt8]

    struct Entry: Hashable {
        var service: Bytes
        var source: Bytes?
        var word: Bytes
        var status: String
        var date: Int64
        var message: Bytes?
    }

    struct StageKey: Hashable {
        var service: Bytes
        var source: Bytes?
    }

    let rules: PayloadRules
    let messages: [StatusMessage]
    /// Each stage's distinct entries, ascending.
    let stages: [StageKey: [Entry]]
    let keys: [StageKey]

    init(_ messages: [StatusMessage], _ rules: PayloadRules) {
        self.rules = rules
        self.messages = messages
        let entries = Set(
            messages.map { message in
                Entry(
                    service: Bytes(message.service.string.utf8),
                    source: message.source.map { Bytes($0.string.utf8) },
                    word: Bytes(message.entry.rawStatus.string.utf8),
                    status: message.entry.status.name,
                    date: message.entry.date.microseconds,
                    message: message.entry.message.map { Bytes($0.string.utf8) }
                )
            }
        )
        stages = Dictionary(grouping: entries) { StageKey(service: $0.service, source: $0.source) }
            .mapValues { $0.sorted { ReferenceModel.order($0, $1) < 0 } }
        keys = stages.keys.sorted { ReferenceModel.order($0, $1) < 0 }
    }

    // MARK: Orders

    private static func compare<Value: Comparable>(_ a: Value, _ b: Value) -> Int { a < b ? -1 : a > b ? 1 : 0 }

    private static func compare(_ a: Bytes?, _ b: Bytes?) -> Int {
        switch (a, b) {
        case (nil, nil): 0
        case (nil, _): -1
        case (_, nil): 1
        case (let a?, let b?): a.lexicographicallyPrecedes(b) ? -1 : b.lexicographicallyPrecedes(a) ? 1 : 0
        }
    }

    private static let ranks = ["received": 0, "processing": 1, "success": 2, "invalid": 2, "failure": 2]
    private static let terminals = ["success": 0, "invalid": 1, "failure": 2]

    static func order(_ a: Entry, _ b: Entry) -> Int {
        for result in [
            compare(a.date, b.date), compare(ranks[a.status] ?? -1, ranks[b.status] ?? -1),
            compare(terminals[a.status] ?? -1, terminals[b.status] ?? -1), compare(a.message, b.message),
            compare(a.word, b.word),
        ] where result != 0 { return result }
        return 0
    }

    static func order(_ a: StageKey, _ b: StageKey) -> Int {
        let services = compare(a.service, b.service)
        return services != 0 ? services : compare(a.source, b.source)
    }

    private func isNewer(_ a: Entry, _ b: Entry) -> Bool {
        let entries = ReferenceModel.order(a, b)
        if entries != 0 { return entries > 0 }
        return ReferenceModel.order(key(a), key(b)) > 0
    }

    private func key(_ entry: Entry) -> StageKey { StageKey(service: entry.service, source: entry.source) }

    // MARK: Status and reasons

    private func isFailing(_ entry: Entry) -> Bool { entry.status == "failure" || entry.status == "invalid" }
    private func isTerminal(_ entry: Entry) -> Bool { isFailing(entry) || entry.status == "success" }
    private func entries(_ key: StageKey) -> [Entry] { stages[key] ?? [] }

    private func current(_ key: StageKey) -> Entry {
        if rules.stageRecovery == .sticky, let first = entries(key).first(where: isFailing) { return first }
        return entries(key)[entries(key).count - 1]
    }

    private func telling(_ key: StageKey) -> Entry? {
        guard isFailing(current(key)) else { return nil }
        if rules.stageRecovery == .sticky { return current(key) }
        var telling: Entry?
        for entry in entries(key).reversed() {
            guard isFailing(entry) else { break }
            telling = entry
        }
        return telling
    }

    func isIgnored(_ key: StageKey) -> Bool {
        rules.ignoredServices.contains(Text(String(decoding: key.service, as: UTF8.self)))
    }

    private func isHandedOver(_ key: StageKey) -> Bool {
        current(key).status == "received"
            && keys.contains { other in
                other != key && other.service == key.service && isTerminal(current(other))
                    && current(other).date >= current(key).date
            }
    }

    private var counting: [StageKey] { keys.filter { !isIgnored($0) && !isHandedOver($0) } }

    var status: String {
        let statuses = counting.map { current($0).status }
        if statuses.contains("failure") { return "failure" }
        if statuses.contains("invalid") { return "invalid" }
        if statuses.isEmpty { return "received" }
        if statuses.allSatisfy({ $0 == "success" }) { return "success" }
        if statuses.allSatisfy({ $0 == "received" }) { return "received" }
        return "processing"
    }

    var failedStages: [Entry] {
        counting.compactMap(telling).sorted { a, b in
            a.date != b.date ? a.date < b.date : ReferenceModel.order(key(a), key(b)) < 0
        }
    }

    var recoveredFailures: [Entry] {
        if rules.stageRecovery == .sticky { return [] }
        var found: [Entry] = []
        for key in keys where !isIgnored(key) {
            for (index, entry) in entries(key).enumerated() where isFailing(entry) {
                if entries(key)[index...].contains(where: { !isFailing($0) }) { found.append(entry) }
            }
        }
        return Array(found.sorted(by: isNewer).prefix(20))
    }

    var missingServices: [String] {
        rules.requiredServices.map(\.string).filter { service in !keys.contains { $0.service == Bytes(service.utf8) } }
            .sorted { Bytes($0.utf8).lexicographicallyPrecedes(Bytes($1.utf8)) }
    }

    /// How long the payload may be silent before it counts as stalled; nil: for ever.
    var stallAfter: Int64? {
        let waiting = counting.filter { !isTerminal(current($0)) }
        let times = waiting.map { key in
            rules.stallAfterByService[Text(String(decoding: key.service, as: UTF8.self))] ?? rules.stallAfter
        }
        return (times.isEmpty ? [rules.stallAfter] : times).filter { $0 != 0 }.min()
    }

    // MARK: History

    /// What an entry counts against `history.max-bytes`: its texts, and 16 bytes for its date and status.
    private func size(_ entry: Entry) -> Int {
        16 + entry.service.count + (entry.source?.count ?? 0) + entry.word.count + (entry.message?.count ?? 0)
    }

    var history: (entries: [Entry], isCut: Bool) {
        let all = keys.flatMap(entries).sorted(by: isNewer)
        var shown: Set<Entry> = []
        var bytes = 0
        for entry in all.prefix(rules.historyMaxEntries) {
            bytes += size(entry)
            if bytes > rules.historyMaxBytes { break }
            shown.insert(entry)
        }
        for key in keys {
            shown.insert(current(key))
            if let telling = telling(key) { shown.insert(telling) }
        }
        return (all.filter(shown.contains), shown.count < all.count)
    }

    // MARK: Attributes

    private func latest(_ attribute: KeyPath<StatusMessage, Text?>) -> JSON {
        var latest: (date: Int64, text: Bytes)?
        for message in messages {
            guard let text = message[keyPath: attribute].map({ Bytes($0.string.utf8) }) else { continue }
            let date = message.entry.date.microseconds
            if let known = latest, known.date > date { continue }
            if let known = latest, known.date == date, !known.text.lexicographicallyPrecedes(text) { continue }
            latest = (date, text)
        }
        return latest.map { .string(String(decoding: $0.text, as: UTF8.self)) } ?? .null
    }

    private func ids(_ attribute: KeyPath<StatusMessage, Text?>) -> (ids: JSON, isCut: Bool) {
        var dates: [Bytes: Int64] = [:]
        for message in messages {
            guard let text = message[keyPath: attribute] else { continue }
            dates[Bytes(text.string.utf8), default: .min] = max(
                dates[Bytes(text.string.utf8), default: .min],
                message.entry.date.microseconds
            )
        }
        let newest = dates.sorted { a, b in
            a.value != b.value ? a.value > b.value : b.key.lexicographicallyPrecedes(a.key)
        }.prefix(1_000).map(\.key)
        let sorted = newest.sorted { $0.lexicographicallyPrecedes($1) }
        return (.array(sorted.map { .string(String(decoding: $0, as: UTF8.self)) }), dates.count > 1_000)
    }
}

// MARK: - As JSON

extension ReferenceModel {
    static func rfc3339(_ microseconds: Int64) -> String {
        let fraction = ((microseconds % 1_000_000) + 1_000_000) % 1_000_000
        var seconds = time_t((microseconds - fraction) / 1_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let date = String(
            format: "%04d-%02d-%02d",
            Int(parts.tm_year) + 1_900,
            Int(parts.tm_mon) + 1,
            Int(parts.tm_mday)
        )
        let time = String(format: "%02d:%02d:%02d", Int(parts.tm_hour), Int(parts.tm_min), Int(parts.tm_sec))
        return "\(date)T\(time)." + String(format: "%06d", Int(fraction)) + "Z"
    }

    private func text(_ bytes: Bytes?) -> JSON { bytes.map { .string(String(decoding: $0, as: UTF8.self)) } ?? .null }

    func report(_ entry: Entry) -> JSON {
        [
            "service": text(entry.service), "source": text(entry.source), "status": .string(entry.status),
            "raw_status": text(entry.word), "status_msg": text(entry.message),
            "date": .string(ReferenceModel.rfc3339(entry.date)),
        ]
    }

    var statuses: JSON { .array(history.entries.map(report)) }

    private func stage(_ key: StageKey, shown: [Entry]) -> JSON {
        let dates = entries(key).map(\.date)
        let (first, last) = (dates.min() ?? 0, dates.max() ?? 0)
        let current = current(key)
        return [
            "service": text(key.service), "source": text(key.source), "status": .string(current.status),
            "raw_status": text(current.word), "status_msg": text(current.message),
            "first_date": .string(ReferenceModel.rfc3339(first)), "last_date": .string(ReferenceModel.rfc3339(last)),
            "duration_ms": .integer((last - first) / 1_000),
            "entries": .integer(Int64(shown.count { $0.service == key.service && $0.source == key.source })),
            "handed_over": .bool(isHandedOver(key)),
        ]
    }

    /// The payload right after its last record, when nothing was judged before: failed or open.
    var document: JSON {
        let dates = keys.flatMap(entries).map(\.date)
        let (first, last) = (dates.min() ?? 0, dates.max() ?? 0)
        let (history, isCut) = history
        let failed = status == "failure" || status == "invalid"
        let (inventory, system) = (ids(\.inventoryID), ids(\.systemID))
        var truncated: [JSON] = []
        if isCut { truncated.append("history") }
        if inventory.isCut { truncated.append("inventory_ids") }
        if system.isCut { truncated.append("system_ids") }
        return [
            "payload_id": .string(messages.first?.payloadID.description ?? ""), "status": .string(status),
            "outcome": failed ? "failed" : "open", "revision": failed ? 1 : 0,
            "reason": failed ? failedStages.first.map(report) ?? .null : .null,
            "failed_stages": .array(failedStages.map(report)),
            "recovered_failures": .array(recoveredFailures.map(report)),
            "missing_services": .array(missingServices.map { .string($0) }),
            "stages": .array(keys.map { stage($0, shown: history) }),
            "account": latest(\.account), "org_id": latest(\.orgID),
            "inventory_ids": inventory.ids, "system_ids": system.ids,
            "started_at": .string(ReferenceModel.rfc3339(first)), "updated_at": .string(ReferenceModel.rfc3339(last)),
            "duration_ms": .integer((last - first) / 1_000), "truncated": .array(truncated),
        ]
    }
}
