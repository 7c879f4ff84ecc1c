import ArgumentParser
import StreamRuntime

/// Takes an application back to where it has never run.
struct Reset: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Deletes an application's offsets, internal topics and local state, so that it begins anew.",
        discussion: """
            Give it the settings of the worker, all of which must be stopped. The input, the outcomes and the dead letters stay: the next \
            worker folds the whole input again and tells outcomes from revision 1. Local state of instances on other machines is deleted \
            by running this there, too, before any of them starts.
            """
    )

    @Flag(help: "Only show what would be deleted.") var dryRun = false
    @Flag(help: "Do not ask, for scripts.") var yes = false
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        let settings = try options.settings()
        let reset = ApplicationReset(
            settings: settings.streamSettings(createsInput: false),
            topology: settings.topology()
        )
        let plan = try await Administration.run(settings) { () throws(StreamError) in try reset.plan() }
        if plan.isEmpty {
            print("nothing to delete: \(settings.applicationID) has no offsets, internal topics or local state")
            return
        }
        for line in Reset.lines(plan, settings) { print(line) }
        if dryRun { return }
        guard try yes || Confirmation.isGiven("Delete all this?", command: "reset", before: "it deletes") else {
            throw CommandFailure("nothing was deleted")
        }
        try await Administration.run(settings) { () throws(StreamError) in try reset.run() }
        print("deleted; the next worker begins anew")
    }

    static func lines(_ plan: ApplicationReset.Plan, _ settings: Settings) -> [String] {
        var lines = ["Of the application \(settings.applicationID) at \(settings.kafka.bootstrapServers) this deletes"]
        if let group = plan.group { lines.append("  the committed offsets of the group \(group)") }
        lines += plan.topics.map { "  the topic \($0)" }
        if let directory = plan.directory { lines.append("  the local state in \(directory)") }
        lines.append(
            "The topics \(settings.topicsInput), \(settings.topicsOutcomes) and \(settings.topicsDeadLetter) stay."
        )
        return lines.map(SingleLine.escape)
    }
}
