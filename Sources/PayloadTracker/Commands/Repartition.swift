import ArgumentParser
import Foundation
import Logging
import StreamRuntime

/// Gives the state another partition count.
struct Repartition: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copies an application's state to another one, with another partition count.",
        discussion: """
            Give it the settings of the worker, all of which must be stopped. It makes the application --to-application with a changelog and a \
            repartition topic of --partitions partitions, which goes on exactly where the old one stopped: start the workers with that \
            application.id then. The old one stays as it is. Where it was interrupted, run it again.
            """
    )

    @Option(help: ArgumentHelp("The application.id of the new application.", valueName: "application-id"))
    var toApplication: String

    @Option(help: "The partitions of the new changelog and repartition topic.")
    var partitions: Int32

    @Option(
        name: .customLong("to-set"),
        help: ArgumentHelp(
            "A setting that the new application has otherwise: topics.changelog or topics.repartition, or topics.input of a keyed input. Repeatable.",
            valueName: "key=value"
        )
    )
    var changes: [String] = []

    @Flag(help: "Only show what would be done.") var dryRun = false
    @Flag(help: "Do not ask, for scripts.") var yes = false
    @Flag(help: "Print a JSON object, for scripts.") var json = false
    @OptionGroup(title: "Settings") var options: SettingsOptions

    private static let changeable = ["topics.changelog", "topics.repartition", "topics.input"]

    func validate() throws {
        guard partitions >= 1 else { throw ValidationError("--partitions is \(partitions), not a number from 1 up") }
    }

    func run() async throws {
        let settings = try options.settings()
        let new = try options.settings(changes: try newSettings())
        try Repartition.checkDiffer(settings, new)
        let repartition = ApplicationRepartition(
            settings: settings.streamSettings(createsInput: false),
            topology: settings.topology(),
            newSettings: new.streamSettings(createsInput: false),
            newTopology: new.topology(),
            partitions: partitions
        )
        let plan = try await Administration.run(settings) { () throws(StreamError) in try repartition.plan() }
        if !json || !(dryRun || yes) {
            for line in lines(plan, settings, new) { print(line) }
        }
        if dryRun { return try printJSON(plan, nil, new) }
        guard try yes || Confirmation.isGiven("Do all this?", command: "repartition", before: "it copies") else {
            throw CommandFailure("nothing was done")
        }
        let logger = LineLogHandler.logger(settings)
        let records = try await Administration.run(settings) { () throws(StreamError) in
            try repartition.run { records, offsets, totalOffsets in
                logger.info("copied \(records) records; \(totalOffsets - offsets) of \(totalOffsets) offsets to go")
            }
        }
        try printJSON(plan, records, new)
        if json { return }
        for copy in plan.copies {
            print(SingleLine.escape("copied \(records[copy.target] ?? 0) records to \(copy.target)"))
        }
        print(
            "done; start the workers with application.id \(new.applicationID), each with no state of that one on its disk"
        )
    }

    private func newSettings() throws(CommandFailure) -> [GivenSetting] {
        var given = [GivenSetting(key: "application.id", value: toApplication, origin: "the flag --to-application")]
        for change in changes {
            let sides = change.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2, Repartition.changeable.contains(String(sides[0])) else {
                throw CommandFailure(
                    "--to-set \(SingleLine.shorten(change)) is not key=value with one of \(Repartition.changeable.joined(separator: ", "))",
                    exitCode: 2
                )
            }
            given.append(GivenSetting(key: String(sides[0]), value: String(sides[1]), origin: "the flag --to-set"))
        }
        return given
    }

    /// Two applications share neither a group nor an internal topic.
    static func checkDiffer(_ settings: Settings, _ new: Settings) throws(CommandFailure) {
        if new.applicationID == settings.applicationID {
            throw CommandFailure(
                "--to-application is \(new.applicationID), which is the application.id that there is; name another one",
                exitCode: 2
            )
        }
        var topics = [("topics.changelog", settings.changelogTopic, new.changelogTopic)]
        if !settings.inputKeyedByPayloadID {
            topics.append(("topics.repartition", settings.repartitionTopic, new.repartitionTopic))
            if new.topicsInput != settings.topicsInput {
                throw CommandFailure(
                    "--to-set topics.input is for an input that is keyed by payload id; the partitions of this one may be changed at any time",
                    exitCode: 2
                )
            }
        }
        for (key, old, new) in topics where old == new {
            throw CommandFailure(
                "\(key) names the topic \(old) for both applications; give the new one its own with --to-set \(key)=…",
                exitCode: 2
            )
        }
    }

    private func lines(_ plan: ApplicationRepartition.Plan, _ settings: Settings, _ new: Settings) -> [String] {
        var lines = [
            "Of the application \(settings.applicationID) at \(settings.kafka.bootstrapServers) this makes \(new.applicationID):"
        ]
        lines += plan.leftovers.map { "  the topic \($0), left by a run that was interrupted, is deleted" }
        lines += plan.copies.map { copy in
            "  the topic \(copy.source) (\(copy.sourcePartitions) partitions, \(copy.offsets) offsets) is copied to \(copy.target) (\(partitions) partitions)"
        }
        lines.append(
            "  the group \(new.applicationID) goes on in \(new.topicsInput) where \(settings.applicationID) stopped"
        )
        lines.append("Nothing of \(settings.applicationID) is changed.")
        return lines.map(SingleLine.escape)
    }

    /// - Parameter records: that were copied, by target; nil: it is not done.
    private func printJSON(_ plan: ApplicationRepartition.Plan, _ records: [String: Int]?, _ new: Settings) throws {
        struct Copy: Encodable {
            let from: String
            let to: String
            let offsets: Int64
            let records: Int?
        }
        struct Line: Encodable {
            let application: String
            let partitions: Int32
            let copies: [Copy]
            let deleted: [String]
            let done: Bool
        }
        guard json else { return }
        let line = Line(
            application: new.applicationID,
            partitions: partitions,
            copies: plan.copies.map {
                Copy(from: $0.source, to: $0.target, offsets: $0.offsets, records: records?[$0.target])
            },
            deleted: plan.leftovers,
            done: records != nil
        )
        print(try JSONLine.text(line))
    }
}
