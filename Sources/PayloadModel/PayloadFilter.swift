/// What a list of payloads is asked for (contract, section 6): payloads that have all that is given.
public struct PayloadFilter: Hashable, Sendable {
    public var inventoryID: Text?
    public var systemID: Text?
    public var account: Text?
    public var orgID: Text?
    public var status: Status?
    public var outcome: Outcome?
    /// The payload has a stage of this service, whatever it stands at.
    public var service: Text?
    /// A stage of this service counts to the status and stands at failure or invalid.
    public var failedService: Text?
    /// The least `updated_at`.
    public var since: Timestamp?
    /// The first `updated_at` that is too late.
    public var until: Timestamp?

    /// As they are called in a query.
    public static let names: Set<String> = [
        "inventory_id", "system_id", "account", "org_id", "status", "outcome", "service", "failed_service", "since",
        "until",
    ]

    /// A value that no payload can have.
    public struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        /// A sentence that names the filter.
        public let description: String
    }

    /// Every payload.
    public init() {}

    /// Values by the names of `names`, as a person writes them: normalised as those of status messages are. Other names are ignored.
    public init(_ values: [String: String]) throws(Refusal) {
        inventoryID = try PayloadFilter.attribute("inventory_id", values)
        systemID = try PayloadFilter.attribute("system_id", values)
        account = try PayloadFilter.attribute("account", values)
        orgID = try PayloadFilter.attribute("org_id", values)
        status = try PayloadFilter.word("status", values, of: Status.allCases.map { ($0.name, $0) })
        outcome = try PayloadFilter.word("outcome", values, of: Outcome.allCases.map { ($0.name, $0) })
        service = try PayloadFilter.service("service", values)
        failedService = try PayloadFilter.service("failed_service", values)
        since = try PayloadFilter.date("since", values)
        until = try PayloadFilter.date("until", values)
        if let since, let until, until < since {
            throw Refusal(description: "since (\(since)) is after until (\(until))")
        }
    }

    private static func attribute(_ name: String, _ values: [String: String]) throws(Refusal) -> Text? {
        guard let value = values[name]?.trimmingWhitespace() else { return nil }
        if value.isEmpty || value.isNullWord {
            throw Refusal(description: "\(name) is \"\(value)\", which counts as absent in a status message")
        }
        return Text(try checked(value, name, maxBytes: StatusDecoder.maxFieldBytes))
    }

    private static func service(_ name: String, _ values: [String: String]) throws(Refusal) -> Text? {
        guard let value = values[name]?.trimmingWhitespace().lowercased() else { return nil }
        if value.isEmpty { throw Refusal(description: "\(name) is empty") }
        return Text(try checked(value, name, maxBytes: StatusDecoder.maxServiceBytes))
    }

    private static func checked(_ value: String, _ name: String, maxBytes: Int) throws(Refusal) -> String {
        if value.utf8.count <= maxBytes { return value }
        throw Refusal(description: "\(name) has \(value.utf8.count) bytes, more than \(maxBytes)")
    }

    private static func word<Value>(
        _ name: String,
        _ values: [String: String],
        of known: [(name: String, value: Value)]
    ) throws(Refusal) -> Value? {
        guard let word = values[name]?.trimmingWhitespace().lowercased() else { return nil }
        if let found = known.first(where: { $0.name == word }) { return found.value }
        let all = known.map(\.name).joined(separator: ", ")
        throw Refusal(description: "\(name) is \"\(word.cut(toBytes: 64))\"; it can be one of: \(all)")
    }

    private static func date(_ name: String, _ values: [String: String]) throws(Refusal) -> Timestamp? {
        guard let text = values[name] else { return nil }
        if let date = Timestamp(text: text) { return date }
        throw Refusal(
            description: "\(name) is \"\(text.cut(toBytes: 64))\", not a date such as 2024-01-02T03:04:05.678Z"
        )
    }
}
