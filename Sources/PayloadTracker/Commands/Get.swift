import ArgumentParser
import Foundation

/// Shows a payload as the HTTP endpoint tells it.
struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows a payload: its outcome, why, and a timeline of its services.",
        discussion: "Exits with 0 when the payload is known, 4 when it is not, 1 when there is no answer.",
    )

    @Argument(help: "The payload's id, in any form.")
    var id: String

    @Option(
        help: "Where an instance of the tracker answers (default: as advertised.url, or http.host and http.port, say)."
    )
    var url: String?

    @Flag(help: "Print the document as it comes, for scripts.")
    var json = false

    @Option(help: "Wait this long for an outcome, such as 30s; at most 60s count.", transform: Self.duration)
    var wait: Duration?

    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        let endpoint = try PayloadEndpoint(url, options)
        let document = try await endpoint.payload(id, wait: wait)
        if json {
            FileHandle.standardOutput.write(document + Data("\n".utf8))
        } else {
            print(try PayloadTimeline(document).text(Terminal.standardOutput), terminator: "")
        }
    }

    private static func duration(_ text: String) throws -> Duration {
        guard let duration = DurationText.parse(text) else { throw ValidationError(DurationText.hint) }
        return duration
    }
}
