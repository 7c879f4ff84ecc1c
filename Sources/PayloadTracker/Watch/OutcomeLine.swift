import Foundation

/// An outcome event as one line for people: when, what, which payload, and why.
struct OutcomeLine {
    private struct Event: Decodable {
        let type: String
        let payloadId: String
        let account: String?
        let reason: PayloadReport.Entry?
        let missingServices: [String]
        let services: [String]
        let durationMs: Int
        let emittedAt: String
    }

    private let event: Event

    /// Nil: not an event as this version knows it.
    init?(_ json: [UInt8]) {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard let event = try? decoder.decode(Event.self, from: Data(json)) else { return nil }
        self.event = event
    }

    /// Whatever producers wrote is escaped.
    func text(_ terminal: Terminal) -> String {
        let outcome = event.type.hasPrefix("payload-") ? String(event.type.dropFirst("payload-".count)) : event.type
        let word = SingleLine.escape(outcome)
        let time = SingleLine.escape("\(event.emittedAt.dropFirst(11).prefix(8))")
        let padding = String(repeating: " ", count: max(0, 9 - word.count))
        let line = terminal.fit(
            "\(time)  \(word)\(padding)  \(SingleLine.escape(event.payloadId))  \(SingleLine.escape(why))"
        )
        // Painted last: colours take no place on the line.
        let rest = line.dropFirst(time.count + 2)
        return "\(time)  " + terminal.paint(String(rest.prefix(word.count)), Terminal.Color(state: outcome))
            + rest.dropFirst(word.count)
    }

    private var why: String {
        if let reason = event.reason {
            let source = reason.source.map { " (\($0))" } ?? ""
            return "\(reason.service)\(source) \(reason.rawStatus)" + (reason.statusMsg.map { ": \($0)" } ?? "")
        }
        if !event.missingServices.isEmpty { return "waits for \(event.missingServices.joined(separator: ", "))" }
        return "\(event.durationMs) ms, \(event.services.joined(separator: ", "))"
    }
}
