import ArgumentParser
import Foundation
import StreamRuntime

/// Shows, checks and creates the topics.
struct Topics: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows and checks the topics, and creates those that are missing.",
        discussion: """
            Give it the settings of the worker, which may run. Exits with 0 when all is well, 1 when something is missing or wrong.
            """
    )

    @Flag(help: "Create the topics that are missing, the input topic too.") var create = false
    @Flag(help: "With --create: leave the input topic to its owner; where it is missing, nothing is created.")
    var exceptInput = false
    @Flag(help: "Print a JSON object, for scripts.") var json = false
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func validate() throws {
        guard create || !exceptInput else { throw ValidationError("--except-input goes with --create") }
    }

    func run() async throws {
        let settings = try options.settings()
        let inspector = TopicInspector(
            settings: settings.streamSettings(createsInput: create && !exceptInput),
            topology: settings.topology()
        )
        let creates = create
        let reports = try await Administration.run(settings) { () throws(StreamError) in
            try inspector.reports(creates: creates)
        }
        let topics = reports.map { TopicReport($0, settings) }
        if json {
            print(try JSONLine.text(["topics": topics]))
        } else {
            for line in TopicReport.lines(topics) { print(line) }
        }
        if topics.contains(where: { !$0.problems.isEmpty }) { throw ExitCode.failure }
    }
}

/// A topic as the command shows it.
struct TopicReport: Encodable {
    let role: String
    let name: String
    let partitions: Int?
    let replication: Int?
    let cleanupPolicy: String?
    let maxMessageBytes: Int?
    let problems: [String]

    init(_ report: TopicInspector.Report, _ settings: Settings) {
        role =
            switch report.name {
            case settings.topicsInput: "input"
            case settings.topicsOutcomes: "outcomes"
            case settings.topicsDeadLetter: "dead-letter"
            case settings.changelogTopic: "changelog"
            default: "repartition"
            }
        name = report.name
        partitions = report.partitions
        replication = report.replication
        cleanupPolicy = report.configuration?["cleanup.policy"]
        maxMessageBytes = report.configuration?["max.message.bytes"].flatMap { Int($0) }
        problems = report.problems
    }

    /// A table, and below it what is missing or wrong. `-` is what the broker does not tell.
    static func lines(_ topics: [TopicReport]) -> [String] {
        let header = ["role", "name", "partitions", "replication", "cleanup.policy", "max.message.bytes", ""]
        let rows = topics.map { topic in
            [
                topic.role, topic.name, text(topic.partitions), text(topic.replication), topic.cleanupPolicy ?? "-",
                text(topic.maxMessageBytes),
                topic.problems.isEmpty ? "ok" : topic.partitions == nil ? "missing" : "wrong",
            ]
        }
        return TextTable(header, rows).lines + topics.flatMap(\.problems).map(SingleLine.escape)
    }

    private static func text(_ number: Int?) -> String { number.map(String.init) ?? "-" }

    private enum CodingKeys: String, CodingKey {
        case role, name, partitions, replication, problems
        case cleanupPolicy = "cleanup_policy"
        case maxMessageBytes = "max_message_bytes"
    }

    /// With null for what is not known.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(role, forKey: .role)
        try container.encode(name, forKey: .name)
        try container.encode(partitions, forKey: .partitions)
        try container.encode(replication, forKey: .replication)
        try container.encode(cleanupPolicy, forKey: .cleanupPolicy)
        try container.encode(maxMessageBytes, forKey: .maxMessageBytes)
        try container.encode(problems, forKey: .problems)
    }
}

/// What commands print for scripts.
enum JSONLine {
    static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
