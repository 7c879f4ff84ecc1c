import Foundation
import PayloadModel

/// A list as it is answered. `count` is 0 where the total is not known, as it always is in payload-tracker-go.
struct CompatibleList<Row: Encodable>: Encodable {
    let count: Int
    /// Seconds.
    let elapsed: Double
    let data: [Row]

    init(count: Int, start: ContinuousClock.Instant, data: [Row]) {
        self.count = count
        elapsed = (.now - start) / .seconds(1)
        self.data = data
    }
}

struct CompatibleHistory: Encodable {
    let data: [JSONValue]
    let duration: [String: String]
}

/// A payload in a list. Of several inventory or system ids the first by its bytes.
struct CompatiblePayload: Encodable {
    private let fields: [String: JSONValue]

    static let sortable: Set<String> = ["created_at", "account", "org_id", "inventory_id", "system_id"]
    static let filters = CompatibleDates.parameters("created_at").union([
        "account", "org_id", "inventory_id", "system_id",
    ])

    init(_ payload: JSONValue) {
        fields = [
            "id": payload["payload_id"], "request_id": payload["payload_id"], "account": payload["account"],
            "org_id": payload["org_id"], "inventory_id": payload["inventory_ids"].array.first ?? .null,
            "system_id": payload["system_ids"].array.first ?? .null, "created_at": payload["started_at"],
        ]
    }

    subscript(name: String) -> String? { fields[name]?.string }
    var createdAt: String? { self["created_at"] }

    func encode(to encoder: any Encoder) throws { try fields.encode(to: encoder) }
}

/// A status of a payload.
struct CompatibleStatus {
    private let fields: [String: JSONValue]

    static let sortable: Set<String> = ["date", "service", "source", "status_msg", "created_at"]
    static let listSortable = sortable.union(["request_id", "status"])
    static let filters = CompatibleDates.parameters("date").union(CompatibleDates.parameters("created_at"))
        .union(["service", "source", "status", "status_msg"])
    static let listFields = ["id", "request_id", "service", "source", "status", "status_msg", "date", "created_at"]

    static func fields(verbosity: Int) -> [String] {
        switch verbosity {
        case 0: listFields + ["account", "org_id", "inventory_id", "system_id"]
        case 1: ["service", "status", "inventory_id", "date", "status_msg"]
        default: ["service", "status", "date"]
        }
    }

    init(_ entry: JSONValue, of payload: JSONValue) {
        var fields: [String: JSONValue] = [
            "request_id": payload["payload_id"], "account": payload["account"], "org_id": payload["org_id"],
            "inventory_id": payload["inventory_ids"].array.first ?? .null,
            "system_id": payload["system_ids"].array.first ?? .null, "service": entry["service"],
            "source": entry["source"], "status": entry["raw_status"], "status_msg": entry["status_msg"],
            // When it came is not kept; when it was is.
            "date": entry["date"], "created_at": entry["date"],
        ]
        var hash = FNV1a()
        for name in ["request_id", "service", "source", "status", "status_msg", "date"] {
            hash.add(fields[name]?.string)
        }
        fields["id"] = .string(String(hash.value, radix: 16))
        self.fields = fields
    }

    subscript(name: String) -> String? { fields[name]?.string }

    func object(_ names: [String]) -> JSONValue {
        .object(Dictionary(uniqueKeysWithValues: names.map { ($0, fields[$0] ?? .null) }))
    }
}

/// How long each service took, from its first to its last status, and all of them.
enum CompatibleDurations {
    static func of(_ payload: JSONValue) -> [String: String] {
        var durations: [String: String] = [:]
        var inServices: Int64 = 0
        for stage in payload["stages"].array {
            let microseconds = microseconds(from: stage["first_date"], to: stage["last_date"])
            inServices += microseconds
            durations["\(stage["service"].string ?? ""):\(stage["source"].string ?? "undefined")"] = text(microseconds)
        }
        durations["total_time_in_services"] = text(inServices)
        durations["total_time"] = text(microseconds(from: payload["started_at"], to: payload["updated_at"]))
        return durations
    }

    private static func microseconds(from start: JSONValue, to end: JSONValue) -> Int64 {
        guard let start = start.string.flatMap(Timestamp.init(text:)),
            let end = end.string.flatMap(Timestamp.init(text:))
        else { return 0 }
        return max(end.microseconds - start.microseconds, 0)
    }

    /// `HH:MM:SS.ffffff`.
    static func text(_ microseconds: Int64) -> String {
        let (seconds, fraction) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60)
        return "\(padded(hours, 2)):\(padded(minutes, 2)):\(padded(seconds % 60, 2)).\(padded(fraction, 6))"
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = "\(number)"
        return String(repeating: "0", count: max(width - digits.count, 0)) + digits
    }
}
