import ArgumentParser

/// A status message as arguments. Nothing is judged but what is needed to write one: a wrong message is how people try out
/// the dead-letter topic.
struct StatusMessageOptions: ParsableArguments {
    @Option(help: "The payload that the message is about.")
    var payloadID: String?

    @Option(help: "The service that reports.")
    var service: String?

    @Option(help: "Its word for what happened: received, processing, success, error, …")
    var status: String?

    @Option(help: "Which part of the service reports.")
    var source: String?

    @Option(help: "What happened, for people.")
    var statusMsg: String?

    @Option(help: "When it happened, such as 2024-01-02T03:04:05Z (default: when the record is written).")
    var date: String?

    @Option(help: "The account that the payload belongs to.")
    var account: String?

    @Option(help: "The organisation that the payload belongs to.")
    var orgID: String?

    @Option(help: "A host that the payload is about, by its id in the inventory.")
    var inventoryID: String?

    @Option(help: "A host that the payload is about, by its own id.")
    var systemID: String?

    private var fields: [(name: String, value: String?)] {
        [
            ("payload_id", payloadID), ("service", service), ("source", source), ("status", status),
            ("status_msg", statusMsg), ("date", date), ("account", account), ("org_id", orgID),
            ("inventory_id", inventoryID), ("system_id", systemID),
        ]
    }

    func validate() throws {
        let isGiven = fields.contains { $0.value != nil }
        if isGiven && (payloadID == nil || service == nil || status == nil) {
            throw ValidationError("a message needs --payload-id, --service and --status")
        }
    }

    /// The message as JSON; nil when no argument gives one.
    var json: [UInt8]? {
        guard payloadID != nil else { return nil }
        var json = JSONText()
        for (name, value) in fields {
            if let value { json.append(name, .string(value)) }
        }
        return json.finish()
    }
}
