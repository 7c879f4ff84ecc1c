/// One status entry as it is told: in the history, as a reason, as a failed stage.
public struct StatusReport: Hashable, Sendable, Encodable {
    public let service: Text
    public let source: Text?
    public let entry: StatusEntry

    public init(service: Text, source: Text?, entry: StatusEntry) {
        self.service = service
        self.source = source
        self.entry = entry
    }

    private enum CodingKeys: String, CodingKey {
        case service, source, status, date
        case rawStatus = "raw_status"
        case statusMessage = "status_msg"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(service.string, forKey: .service)
        try container.encode(source?.string, forKey: .source)
        try container.encode(entry.status.name, forKey: .status)
        try container.encode(entry.rawStatus.string, forKey: .rawStatus)
        try container.encode(entry.message?.string, forKey: .statusMessage)
        try container.encode(entry.date.description, forKey: .date)
    }

    /// As `encode`, its members in the order of their names.
    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.name("date")
            writer.string(entry.date.description)
            writer.name("raw_status")
            writer.string(entry.rawStatus.string)
            writer.name("service")
            writer.string(service.string)
            writer.name("source")
            writer.string(source?.string)
            writer.name("status")
            writer.string(entry.status.name)
            writer.name("status_msg")
            writer.string(entry.message?.string)
        }
    }
}
