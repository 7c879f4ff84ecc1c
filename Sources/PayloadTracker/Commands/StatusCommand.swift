import ArgumentParser
import Foundation
import QueryService

/// Shows how the tracker as a whole is doing.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows who has which partition, how far behind each is, and how payloads fare.",
        discussion: "Exits with 0 when every partition is running, 3 when one is not, 1 when there is no answer."
    )

    @Option(
        help: "Where an instance of the tracker answers (default: as advertised.url, or http.host and http.port, say)."
    )
    var url: String?

    @Flag(help: "Print a JSON object with the documents as they come, for scripts.") var json = false
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        let endpoint = try PayloadEndpoint(url, options)
        let partitions = try await endpoint.document(at: "/v1/partitions")
        let summary = try await endpoint.document(at: "/v1/summary?partial=allowed")
        let report = try TrackerReport(partitions: partitions, summary: summary)
        if json {
            let parts = [#"{"partitions":"#, String(decoding: partitions, as: UTF8.self), #","summary":"#]
            print(parts.joined() + String(decoding: summary, as: UTF8.self) + "}")
        } else {
            let terminal = Terminal.standardOutput
            for line in report.lines { print(terminal.fit(line)) }
        }
        if !report.isRunning { throw ExitCode(3) }
    }
}

/// The documents of `/v1/partitions` and `/v1/summary` for people.
struct TrackerReport {
    private let partitions: PartitionsDocument
    private let summary: SummaryDocument

    init(partitions: Data, summary: Data) throws(CommandFailure) {
        do {
            self.partitions = try JSONDecoder().decode(PartitionsDocument.self, from: partitions)
            self.summary = try JSONDecoder().decode(SummaryDocument.self, from: summary)
        } catch {
            throw CommandFailure("the answer is not the tracker's: is this its address?")
        }
    }

    var isRunning: Bool { partitions.data.allSatisfy { $0.state == .running } }

    /// Whatever producers wrote is escaped.
    var lines: [String] {
        let header = ["partition", "state", "lag", "to restore", "payloads", "owner", "url", "standbys"]
        let rows = partitions.data.map { partition in
            [
                "\(partition.offsets.partition)", partition.state?.rawValue ?? "silent", text(partition.offsets.lag),
                text(partition.restoreRemaining), text(partition.payloads), partition.owner ?? "-",
                partition.url ?? "-", partition.standbys.map(TrackerReport.text).joined(separator: ", "),
            ]
        }
        return TextTable(header, rows).lines + [""] + input + payloads + lastHour
    }

    private var input: [String] {
        let lags = partitions.input.map(\.lag)
        let known = lags.compactMap { $0 }.reduce(0, +)
        let unknown = lags.count { $0 == nil }
        return ["input      \(known) behind" + (unknown == 0 ? "" : ", and \(unknown) partitions that nobody reads")]
    }

    private var payloads: [String] {
        let payloads = summary.payloads
        var lines = ["payloads   \(payloads.total): \(counts(payloads.outcomes, TrackerReport.outcomes))"]
        if let missing = summary.missingPartitions, !missing.isEmpty {
            lines.append("           without partition \(missing.map { "\($0)" }.joined(separator: ", "))")
        }
        if !payloads.failingServices.isEmpty { lines.append("failing    \(greatest(payloads.failingServices))") }
        return lines
    }

    private var lastHour: [String] {
        let hour = summary.lastHour
        var lines = ["last hour  \(counts(hour.outcomes, TrackerReport.outcomes))"]
        if !hour.deadLetters.isEmpty { lines.append("refused    \(greatest(hour.deadLetters))") }
        return lines
    }

    private static let outcomes = ["completed", "failed", "stalled", "open"]
    private static let shownNames = 8

    private func counts(_ counts: [String: Int], _ names: [String]) -> String {
        names.compactMap { name in counts[name].map { "\($0) \(name)" } }.joined(separator: ", ")
    }

    /// The most frequent, those first.
    private func greatest(_ counts: [String: Int]) -> String {
        let sorted = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        let shown = sorted.prefix(TrackerReport.shownNames).map { "\(SingleLine.escape($0.key)) \($0.value)" }
        let others = sorted.count - shown.count
        return shown.joined(separator: ", ") + (others > 0 ? " and \(others) more" : "")
    }

    private static func text(_ standby: PartitionsDocument.Standby) -> String {
        guard standby.isComplete else { return "\(standby.instance) (\(standby.lag) to go)" }
        return standby.lag > 0 ? "\(standby.instance) (\(standby.lag) behind)" : standby.instance
    }

    private func text(_ number: (some BinaryInteger)?) -> String { number.map { "\($0)" } ?? "-" }
}
