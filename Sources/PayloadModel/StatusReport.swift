/// One status entry as it is told: in the history, as a reason, as a failed stage.
public struct StatusReport: Hashable, Sendable {
    public let service: Text
    public let source: Text?
    public let entry: StatusEntry

    public init(service: Text, source: Text?, entry: StatusEntry) {
        self.service = service
        self.source = source
        self.entry = entry
    }

    /// One object, its members in the order of their names.
    public func write(to writer: inout JSONWriter) {
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
