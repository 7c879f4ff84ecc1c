import Foundation

/// A payload for people: how it ended and why, then its services in the order in which they began.
struct PayloadTimeline {
    private let report: PayloadReport
    private static let barWidth = 24

    init(_ json: Data) throws(CommandFailure) {
        report = try PayloadReport(json: json)
    }

    /// Lines that each end with a newline. Whatever producers wrote is escaped.
    func text(_ terminal: Terminal) -> String {
        let title = "\(SingleLine.escape(report.payloadId))  \(painted(report.outcome, terminal))"
        let about = about.map(terminal.fit)
        let timeline = timeline(terminal)
        let lines = [title] + about + (timeline.isEmpty ? [] : [""]) + timeline
        return lines.map { $0 + "\n" }.joined()
    }

    // MARK: - What became of it

    private var about: [String] {
        var lines = [label("status", "\(SingleLine.escape(report.status)), revision \(report.revision)")]
        if let reason = report.reason { lines.append(label("reason", entry(reason))) }
        for other in report.failedStages.dropFirst() { lines.append(label("also", entry(other))) }
        for recovered in report.recoveredFailures { lines.append(label("recovered", entry(recovered))) }
        lines += list("missing", report.missingServices)
        lines += list("account", report.account)
        lines += list("org", report.orgId)
        lines += list("inventory", report.inventoryIds)
        lines += list("system", report.systemIds)
        if let start = report.startedAt {
            lines.append(label("started", "\(SingleLine.escape(start)), took \(seconds(report.durationMs ?? 0))"))
        }
        if let partition = report.partition {
            lines.append(label("from", "partition \(partition), \(SingleLine.escape(report.servedBy ?? "unknown"))"))
        }
        lines += list("cut", report.truncated)
        return lines
    }

    private func label(_ name: String, _ text: String) -> String {
        "  \(pad(name, 10)) \(text)"
    }

    private func list(_ name: String, _ values: [String]) -> [String] {
        values.isEmpty ? [] : [label(name, values.map(SingleLine.escape).joined(separator: ", "))]
    }

    private func list(_ name: String, _ value: String?) -> [String] {
        list(name, value.map { [$0] } ?? [])
    }

    private func entry(_ entry: PayloadReport.Entry) -> String {
        let message = entry.statusMsg.map { ": \(SingleLine.escape($0))" } ?? ""
        return "\(stageName(entry.service, entry.source)) \(words(entry.status, entry.rawStatus))\(message)"
    }

    // MARK: - The timeline

    private func timeline(_ terminal: Terminal) -> [String] {
        let stages = report.stages.map { (stage: $0, start: start(of: $0)) }
            .sorted { ($0.start, $0.stage.service) < ($1.start, $1.stage.service) }
        let end = stages.map { $0.start + $0.stage.durationMs }.max() ?? 0
        let nameWidth = stages.map { stageName($0.stage.service, $0.stage.source).count }.max() ?? 0
        let wordWidth = stages.map { words($0.stage.status, $0.stage.rawStatus).count }.max() ?? 0
        return stages.map { stage, start in
            let word = words(stage.status, stage.rawStatus)
            let before =
                "  \(pad(stageName(stage.service, stage.source), nameWidth))  \(padStart(seconds(start), 8))"
                + "  \(padStart(seconds(stage.durationMs), 8))  \(bar(from: start, for: stage.durationMs, of: end))  "
            let message = stage.statusMsg.map(SingleLine.escape) ?? ""
            let line = terminal.fit(before + (message.isEmpty ? word : "\(pad(word, wordWidth))  \(message)"))
            // Painted last: colours take no place on the line.
            let painted = line.dropFirst(before.count)
            return line.prefix(before.count)
                + terminal.paint(String(painted.prefix(word.count)), Terminal.Color(state: stage.status))
                + painted.dropFirst(word.count)
        }
    }

    /// Milliseconds after the payload's beginning.
    private func start(of stage: PayloadReport.Stage) -> Int {
        guard let beginning = report.startedAt.flatMap(Self.date), let date = Self.date(stage.firstDate) else {
            return 0
        }
        return max(0, Int((date.timeIntervalSince(beginning) * 1000).rounded()))
    }

    /// At least one block, so that a service that said one thing is seen.
    private func bar(from start: Int, for duration: Int, of total: Int) -> String {
        let scale = total > 0 ? Double(Self.barWidth) / Double(total) : 0
        let first = min(Int(Double(start) * scale), Self.barWidth - 1)
        let length = min(max(1, Int((Double(duration) * scale).rounded())), Self.barWidth - first)
        return String(repeating: "·", count: first) + String(repeating: "█", count: length)
            + String(repeating: "·", count: Self.barWidth - first - length)
    }

    // MARK: - Words

    private func stageName(_ service: String, _ source: String?) -> String {
        SingleLine.escape(source.map { "\(service) (\($0))" } ?? service)
    }

    /// The status, and the producer's own word where it is another.
    private func words(_ status: String, _ rawStatus: String) -> String {
        SingleLine.escape(status == rawStatus ? status : "\(status) (\(rawStatus))")
    }

    private func painted(_ word: String, _ terminal: Terminal) -> String {
        terminal.paint(SingleLine.escape(word), Terminal.Color(state: word))
    }

    private func seconds(_ milliseconds: Int) -> String {
        let fraction = String(milliseconds % 1000)
        return "\(milliseconds / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction) s"
    }

    private func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private func padStart(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    private static func date(_ text: String) -> Date? {
        try? Date(text, strategy: .iso8601.year().month().day().time(includingFractionalSeconds: true))
    }
}
