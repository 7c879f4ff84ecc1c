import ArgumentParser
import Foundation
import StreamRuntime

/// What is in the local stores, while no worker has them.
struct State: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Inspects the local state offline.",
        subcommands: [List.self, Get.self, Verify.self]
    )

    /// Compares every store with its changelog.
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compares the local stores with what their changelog makes from nothing.",
            discussion: """
                Give it the settings of the worker, which must not run. Nothing is changed: a store that is behind its changelog is \
                caught up in a copy. Exits with 3 when a store differs or cannot be read, 1 when that cannot be told.
                """
        )

        @Flag(help: "Print a JSON object a line for each store, for scripts.")
        var json = false

        @OptionGroup(title: "Settings") var options: SettingsOptions

        func run() async throws {
            let settings = try options.settings()
            let verifier = StateVerifier(
                settings: settings.streamSettings(createsInput: false),
                topology: settings.topology(),
                logger: LineLogHandler.logger(settings)
            )
            var differing = 0
            try await WorkerError.run {
                for report in try await Verify.reports(of: verifier) {
                    print(json ? try Verify.json(report) : Verify.text(report))
                    if !report.problems.isEmpty { differing += 1 }
                }
            }
            if differing > 0 { throw ExitCode(3) }
        }

        private static func reports(of verifier: StateVerifier) async throws(StreamError) -> [StateVerifier.Report] {
            try await onOwnThread("verify") {
                Result { () throws(StreamError) in
                    var reports: [StateVerifier.Report] = []
                    try verifier.run { reports.append($0) }
                    return reports
                }
            }.get()
        }

        private static func json(_ report: StateVerifier.Report) throws -> String {
            struct Line: Encodable {
                let store: String
                let offset: Int64?
                let end: Int64?
                let problems: [String]
            }
            let line = Line(
                store: "\(report.task)",
                offset: report.offsets?.store,
                end: report.offsets?.end,
                problems: report.problems
            )
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(line), as: UTF8.self)
        }

        private static func text(_ report: StateVerifier.Report) -> String {
            var verdict = "CANNOT BE VERIFIED"
            if let offsets = report.offsets {
                let behind = max(offsets.end - offsets.store, 0)
                verdict = report.problems.isEmpty ? "equals its changelog" : "DIFFERS from its changelog"
                verdict += " (offset \(offsets.store), \(behind) behind the end)"
            }
            return (["\(report.task): \(verdict)"] + report.problems.map { "  \($0)" }).joined(separator: "\n")
        }
    }
}
