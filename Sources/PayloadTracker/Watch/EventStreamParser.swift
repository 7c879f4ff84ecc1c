/// Splits a stream of bytes into server-sent events (WHATWG HTML, section 9.2.6), as far as the tracker's own stream goes: `id` and
/// `data`, lines that end with `\n`.
struct EventStreamParser {
    /// The id of the last event that was complete, to go on from.
    private(set) var lastID: String?
    private var id: String?
    private var data: [UInt8] = []
    private var lines = LineSplitter()

    /// The data of the events that `bytes` complete.
    mutating func append(_ bytes: [UInt8]) -> [[UInt8]] {
        var events: [[UInt8]] = []
        for line in lines.append(bytes) {
            if line.isEmpty {
                if let id { lastID = id }
                if !data.isEmpty { events.append(data) }
                data = []
            } else if let value = Self.value(of: "id: ", in: line) {
                id = String(decoding: value, as: UTF8.self)
            } else if let value = Self.value(of: "data: ", in: line) {
                data += value
            }
        }
        return events
    }

    /// For the next connection: the id stays, and what the last one left unfinished is dropped.
    var resumed: EventStreamParser {
        var parser = EventStreamParser()
        (parser.lastID, parser.id) = (lastID, lastID)
        return parser
    }

    private static func value(of field: String, in line: [UInt8]) -> ArraySlice<UInt8>? {
        line.starts(with: field.utf8) ? line.dropFirst(field.utf8.count) : nil
    }
}
