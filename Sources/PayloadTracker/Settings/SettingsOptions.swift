import ArgumentParser
import Foundation

/// The settings on the command line, for every command that takes settings.
///
/// All are texts: `Settings` judges them, so that a wrong flag and a wrong variable read alike.
struct SettingsOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A YAML or JSON file with settings.", valueName: "file"))
    var config: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("Any setting, by its key. Repeatable.", valueName: "key=value")
    )
    var assignments: [String] = []

    @Option(
        name: [
            .customLong("kafka-bootstrap-servers"), .customLong("bootstrap-servers"), .customLong("bootstrap-server"),
        ],
        help: .setting("kafka.bootstrap.servers")
    )
    var kafkaBootstrapServers: String?

    @Option(help: .setting("application.id")) var applicationID: String?
    @Option(help: .setting("topics.input")) var topicsInput: String?
    @Option(help: .setting("topics.outcomes")) var topicsOutcomes: String?
    @Option(help: .setting("topics.dead-letter")) var topicsDeadLetter: String?
    @Option(help: .setting("topics.partitions")) var topicsPartitions: String?
    @Option(help: .setting("topics.replication-factor")) var topicsReplicationFactor: String?
    @Option(help: .setting("stream.threads")) var streamThreads: String?
    @Option(help: .setting("processing.guarantee")) var processingGuarantee: String?
    @Option(help: .setting("commit.interval")) var commitInterval: String?
    @Option(help: .setting("group.instance.id")) var groupInstanceID: String?
    @Option(help: .setting("session.timeout")) var sessionTimeout: String?
    @Option(help: .setting("standby.replicas")) var standbyReplicas: String?
    @Option(help: .setting("http.host")) var httpHost: String?
    @Option(help: .setting("http.port")) var httpPort: String?
    @Option(help: .setting("advertised.url")) var advertisedURL: String?
    @Option(help: .setting("input.offset-reset")) var inputOffsetReset: String?
    @Option(help: .setting("completion.settle")) var completionSettle: String?
    @Option(help: .setting("stall.after")) var stallAfter: String?
    @Option(help: .setting("retention")) var retention: String?
    @Option(help: .setting("state.dir")) var stateDir: String?
    @Option(help: .setting("log.level")) var logLevel: String?
    @Option(help: .setting("log.format")) var logFormat: String?

    /// The settings that the command line gives: those after `--set` first, so that a setting's own flag beats it.
    func given() throws(SettingsError) -> [GivenSetting] {
        var given: [GivenSetting] = []
        for assignment in assignments {
            let sides = assignment.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2 else {
                throw SettingsError("--set \(SingleLine.shorten(assignment)) is refused: write --set key=value")
            }
            given.append(GivenSetting(key: String(sides[0]), value: String(sides[1]), origin: "the flag --set"))
        }
        for setting in Setting.all {
            guard let value = setting.flag?(self) else { continue }
            given.append(GivenSetting(key: setting.key, value: value, origin: "the flag \(setting.flagName)"))
        }
        return given
    }

    /// The settings of a start: flags beat the environment, which beats the file.
    ///
    /// - Parameters:
    ///   - changes: beat all of them.
    ///   - defaults: what holds where nothing is given.
    ///   - kafkaRefusal: what is wrong with a librdkafka property and its value, nil if nothing is.
    func settings(
        changes: [GivenSetting] = [],
        defaults: Settings = Settings(),
        environment: [String: String] = ProcessInfo.processInfo.environment,
        kafkaRefusal: (_ name: String, _ value: String) -> String? = KafkaProperties.refusal
    ) throws(SettingsError) -> Settings {
        var given: [GivenSetting] = []
        if let file = config ?? environment[SettingsEnvironment.fileName] {
            given += try SettingsFile.settings(at: file)
        }
        given += try SettingsEnvironment.settings(in: environment)
        given += try self.given() + changes
        return try Settings(given, defaults: defaults, kafkaRefusal: kafkaRefusal)
    }
}

extension ArgumentHelp {
    /// What the reference says of a setting, as the help of its flag.
    fileprivate static func setting(_ key: String) -> ArgumentHelp {
        guard let setting = Setting.byKey[key] else { preconditionFailure("\(key) is not a setting") }
        let defaultText = setting.defaultText.isEmpty ? "" : " (default: \(setting.defaultText))"
        return ArgumentHelp(stringLiteral: "\(setting.summary)\(defaultText)")
    }
}
