import Foundation

/// Follows one payload until its outcome is known.
struct PayloadWatch {
    let endpoint: PayloadEndpoint
    let id: String
    let output: WatchOutput

    private static let step = Duration.seconds(1)

    private struct Statuses: Decodable {
        let data: [Entry]
    }

    private struct Entry: Decodable, Hashable {
        let service: String
        let source: String?
        let status: String
        let rawStatus: String
        let statusMsg: String?
        let date: String
    }

    /// Returns the outcome.
    func run() async throws -> String {
        var shown: Set<Entry> = []
        var hasAnswered = false
        while true {
            do throws(CommandFailure) {
                // It answers at once when there is an outcome.
                let document = try await endpoint.payload(id, wait: Self.step)
                hasAnswered = true
                let report = try PayloadReport(json: document)
                if !output.isJSON { try await showNews(&shown) }
                if report.outcome != "open" {
                    try show(document)
                    return report.outcome
                }
            } catch {
                switch error.exitCode {
                case 4:
                    // Its first message is still to come.
                    hasAnswered = true
                case 1 where hasAnswered: output.remark("\(error); trying again")
                default: throw error
                }
                try await Task.sleep(for: Self.step)
            }
        }
    }

    /// What was said since the last look, oldest first.
    private func showNews(_ shown: inout Set<Entry>) async throws(CommandFailure) {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard let history = try? decoder.decode(Statuses.self, from: try await endpoint.statuses(id)) else {
            throw CommandFailure("the answer is not a history: is this the tracker's address?")
        }
        for entry in history.data.reversed() where shown.insert(entry).inserted {
            try output.write(line(entry))
        }
    }

    private func line(_ entry: Entry) -> String {
        let name = SingleLine.escape(entry.source.map { "\(entry.service) (\($0))" } ?? entry.service)
        let word = SingleLine.escape(entry.rawStatus)
        let message = entry.statusMsg.map { ": \(SingleLine.escape($0))" } ?? ""
        let before = "\(SingleLine.escape(entry.date))  \(name)  "
        let line = output.terminal.fit(before + word + message)
        // Painted last: colours take no place on the line.
        let rest = line.dropFirst(before.count)
        return line.prefix(before.count)
            + output.terminal.paint(String(rest.prefix(word.count)), Terminal.Color(state: entry.status))
            + rest.dropFirst(word.count)
    }

    private func show(_ document: Data) throws(CommandFailure) {
        if output.isJSON {
            try output.write(document)
        } else {
            try output.write("\n" + PayloadTimeline(document).text(output.terminal).trimmingCharacters(in: .newlines))
        }
    }
}
