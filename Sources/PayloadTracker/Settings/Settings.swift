import Foundation
import PayloadModel
import QueryService
import StreamRuntime

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
    var httpPeerSecret: PeerSecret?
    var httpTokensFile: String?
    var httpToken: BearerToken?
    var httpJWTIssuer: String?
    var httpJWTAudience: String?
    var httpJWTJWKSFile: String?
    var httpJWTJWKSURL: URL?
    var httpJWTReadScope = "read"
    var httpJWTMetricsScope = "metrics"
    var httpJWTOrgIDClaim = "org_id"
    var httpJWTWithoutOrgID = WithoutOrgID.refuse
    var httpRateLimit = 0
    var httpTLSCertificateFile: String?
    var httpTLSKeyFile: String?
    var httpTLSCAFile: String?

    var streamThreads = 1
    var processingGuarantee = StreamSettings.ProcessingGuarantee.exactlyOnce
    var commitInterval = Duration.milliseconds(500)
    var transactionTimeout = Duration.seconds(10)
    var groupInstanceID: String?
    var sessionTimeout = Duration.seconds(45)
    var standbyReplicas = 1

    var inputKeyedByPayloadID = false
    var inputOffsetReset = StreamSettings.OffsetReset.earliest
    var statusAliases: [String: Status] = [:]
    var statusMsgMaxBytes = 4 * 1024

    var completionSettle = Duration.seconds(60)
    var completionRequiredServices: [String] = []
    var servicesIgnored: [String] = []
    var stallAfter = Duration.seconds(3600)
    /// `stall.after.<service>`.
    var stallAfterByService: [String: Duration] = [:]
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

    /// What a signed token shows that names no organisation.
    enum WithoutOrgID: String, Sendable, CaseIterable {
        case refuse, all
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
