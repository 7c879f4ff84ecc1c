import ArgumentParser
import Foundation

/// Shows outcomes as they are committed, or one payload until its outcome is known.
struct Watch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows outcomes as they are committed, or one payload until it is done.",
        discussion: """
            Without an id it goes on until Ctrl-C or --count, over lost connections and restarts of the tracker, without a gap. \
            With an id it exits with 0 when the payload is completed, 3 when it failed, 5 when it is stalled; a payload that nobody \
            has heard of is waited for. 1: there is no answer.
            """,
    )

    @Argument(help: "The payload's id, in any form.")
    var id: String?

    @Option(
        help: "Where an instance of the tracker answers (default: as advertised.url, or http.host and http.port, say)."
    )
    var url: String?

    @Flag(help: "Print each event, or the payload's document, as one line of JSON, for scripts.")
    var json = false

    @Option(help: "Only outcomes of these types: completed, failed or stalled, with commas between them.")
    var type: String?

    @Option(help: "Only payloads of this account.")
    var account: String?

    @Option(help: "Only payloads that this service reported on.")
    var service: String?

    @Option(help: "Only payloads that this service failed.")
    var failedService: String?

    @Option(help: "End after this many events.")
    var count: Int?

    @OptionGroup(title: "Settings") var options: SettingsOptions

    private static let outcomes = ["completed", "failed", "stalled"]

    func validate() throws {
        guard count.map({ $0 > 0 }) ?? true else { throw ValidationError("--count is more than 0") }
        for word in types ?? [] where !Self.outcomes.contains(word) {
            throw ValidationError("--type is completed, failed or stalled, not \(SingleLine.shorten(word))")
        }
        if id != nil, type != nil || account != nil || service != nil || failedService != nil || count != nil {
            throw ValidationError("--type, --account, --service, --failed-service and --count go without an id")
        }
    }

    func run() async throws {
        let endpoint = try PayloadEndpoint(url, options)
        let output = WatchOutput(terminal: Terminal.standardOutput, isJSON: json)
        if let id {
            let outcome = try await PayloadWatch(endpoint: endpoint, id: id, output: output).run()
            if let code = Self.exitCode(outcome) { throw code }
        } else {
            try await OutcomeWatch(endpoint: endpoint, filters: filters, count: count, output: output).run()
        }
    }

    private var types: [String]? { type?.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }

    private var filters: [(name: String, value: String)] {
        let filters = [
            ("type", types?.map { "payload-\($0)" }.joined(separator: ",")), ("account", account), ("service", service),
            ("failed_service", failedService),
        ]
        return filters.compactMap { name, value in value.map { (name, $0) } }
    }

    private static func exitCode(_ outcome: String) -> ExitCode? {
        switch outcome {
        case "failed": ExitCode(3)
        case "stalled": ExitCode(5)
        default: nil
        }
    }
}
