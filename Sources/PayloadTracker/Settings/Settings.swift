import Foundation
import PayloadModel

/// Everything a user can set, as typed values. The stored values below are the defaults.
///
/// A property is named after its setting's key (`completion.settle` is `completionSettle`); what each one means, and
/// which values it takes, is said once, in `Setting.all`.
struct Settings: Sendable, Equatable {
    var applicationID = "payload-tracker"
    var kafka = KafkaProperties(["bootstrap.servers": "localhost:9092"])

    var topicsInput = "platform.payload-status"
    var topicsOutcomes = "platform.payload-outcomes"
    var topicsDeadLetter = "platform.payload-status-dead-letter"
    var topicsRepartition: String?
    var topicsChangelog: String?
    var topicsPartitions: Int?
    var topicsReplicationFactor: Int?

    var stateDir = "payload-tracker-state"
    var storeBlockCache = 64 * 1024 * 1024
    var storeWriteBuffers = 64 * 1024 * 1024
    var storeCache = 64 * 1024 * 1024

    var httpHost = "127.0.0.1"
    var httpPort = 8080
    var advertisedURL: URL?

    var streamThreads = 1
    /// `exactly_once`, which the contract has for the default, is the next thing to be built; `serve` refuses it until then.
    var processingGuarantee = ProcessingGuarantee.atLeastOnce
    var commitInterval = Duration.milliseconds(100)
    var groupInstanceID: String?
    var sessionTimeout = Duration.seconds(45)
    var standbyReplicas = 0

    var inputKeyedByPayloadID = false
    var inputOffsetReset = OffsetReset.earliest
    var statusAliases: [String: Status] = [:]
    var statusMsgMaxBytes = 4 * 1024

    var completionSettle = Duration.seconds(60)
    var completionRequiredServices: [String] = []
    var servicesIgnored: [String] = []
    var stallAfter = Duration.seconds(3600)
    var stageRecovery = PayloadRules.StageRecovery.latest
    var historyMaxEntries = 500
    var historyMaxBytes = 512 * 1024
    var retention = Duration.seconds(7 * 86400)

    var logLevel = LogLevel.info
    var logFormat = LogFormat.text
}

extension Settings {
    /// The internal topic between the input and the payloads' partitions.
    var repartitionTopic: String { topicsRepartition ?? "\(applicationID)-status-repartition" }

    /// The internal, compacted topic that holds each payload's state.
    var changelogTopic: String { topicsChangelog ?? "\(applicationID)-payload-changelog" }

    /// `processing.guarantee`, in Kafka Streams' words.
    enum ProcessingGuarantee: String, Sendable, CaseIterable {
        case exactlyOnce = "exactly_once"
        case atLeastOnce = "at_least_once"
    }

    /// Where to start in the input topic when the group has no committed offset.
    enum OffsetReset: String, Sendable, CaseIterable {
        case earliest, latest
    }

    /// swift-log's levels.
    enum LogLevel: String, Sendable, CaseIterable {
        case trace, debug, info, notice, warning, error, critical
    }

    /// Lines for people or objects for log collectors.
    enum LogFormat: String, Sendable, CaseIterable {
        case text, json
    }
}
