import Foundation
import PayloadModel

extension Setting {
    /// Every setting but the further `kafka.*` ones and `stall.after.<service>`, in the order of the reference (`docs/configuration.md`).
    static let all: [Setting] = kafka + topics + worker + http + messages + outcomes + storage + log

    static let byKey = Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0) })

    /// Begins the settings of single services.
    static let stallAfterPrefix = "stall.after."

    /// The setting of that key: one of `all`, or `stall.after.<service>` for whatever name a service may have.
    static func known(_ key: String) -> Setting? {
        if let setting = byKey[key] { return setting }
        guard key.hasPrefix(stallAfterPrefix) else { return nil }
        let service = key.dropFirst(stallAfterPrefix.count).trimmingCharacters(in: .whitespaces).lowercased()
        guard (1...StatusDecoder.maxServiceBytes).contains(service.utf8.count) else { return nil }
        return Setting(
            stallAfterPrefix + service,
            \.stallAfterByService[service],
            .optional(.duration(.zero...maximumDuration)),
            "stall.after of payloads that wait in \(service)"
        )
    }

    private static let kafka = [
        Setting(
            "kafka.bootstrap.servers",
            \.kafka.bootstrapServers,
            .text,
            "Kafka's brokers, host:port with commas between",
            flag: \.kafkaBootstrapServers
        ),
        Setting(
            "application.id",
            \.applicationID,
            .topicName(limit: 200),
            "the consumer group's id and the prefix of the internal topics",
            flag: \.applicationID
        ),
    ]

    private static let topics = [
        Setting(
            "topics.input",
            \.topicsInput,
            .topicName(),
            "the topic with the status messages",
            flag: \.topicsInput
        ),
        Setting(
            "topics.outcomes",
            \.topicsOutcomes,
            .topicName(),
            "the topic for outcome events",
            flag: \.topicsOutcomes
        ),
        Setting(
            "topics.dead-letter",
            \.topicsDeadLetter,
            .topicName(),
            "the topic for records that cannot be taken",
            flag: \.topicsDeadLetter
        ),
        Setting(
            "topics.repartition",
            \.topicsRepartition,
            .optional(.topicName()),
            "the internal topic by payload id; empty means <application.id>-status-repartition"
        ),
        Setting(
            "topics.changelog",
            \.topicsChangelog,
            .optional(.topicName()),
            "the internal topic of payload states; empty means <application.id>-payload-changelog"
        ),
        Setting(
            "topics.partitions",
            \.topicsPartitions,
            .optional(.integer(1...10_000)),
            "the partitions of the topics that it creates; empty means as many as the input topic has",
            flag: \.topicsPartitions
        ),
        Setting(
            "topics.replication-factor",
            \.topicsReplicationFactor,
            .optional(.integer(1...100)),
            "the replicas of the topics that it creates; empty means the brokers' default",
            flag: \.topicsReplicationFactor
        ),
    ]

    private static let worker = [
        Setting(
            "stream.threads",
            \.streamThreads,
            .integer(1...256),
            "the threads that process partitions",
            flag: \.streamThreads
        ),
        Setting(
            "processing.guarantee",
            \.processingGuarantee,
            .choice,
            "whether outcomes are written once, or may be repeated after a crash",
            flag: \.processingGuarantee
        ),
        Setting(
            "commit.interval",
            \.commitInterval,
            .duration(.milliseconds(1)...(.seconds(60))),
            "the longest time between commits under backlog; with nothing left to read they come sooner",
            flag: \.commitInterval
        ),
        Setting(
            "transaction.timeout",
            \.transactionTimeout,
            .duration(.seconds(1)...(.seconds(900))),
            "the time after which the brokers abort what a crashed instance left open; a commit comes after a quarter of it at the latest"
        ),
        Setting(
            "group.instance.id",
            \.groupInstanceID,
            .optional(.text),
            "the name that this instance keeps across restarts (static membership)",
            flag: \.groupInstanceID
        ),
        Setting(
            "session.timeout",
            \.sessionTimeout,
            .duration(.seconds(1)...(.seconds(300))),
            "the silence after which the group takes this instance for dead",
            flag: \.sessionTimeout
        ),
        Setting(
            "standby.replicas",
            \.standbyReplicas,
            .integer(0...16),
            "the further instances that keep a copy of each partition's state, as far as there are others; the same on all",
            flag: \.standbyReplicas
        ),
    ]

    private static let http = [
        Setting("http.host", \.httpHost, .text, "the address that the HTTP endpoint listens on", flag: \.httpHost),
        Setting(
            "http.port",
            \.httpPort,
            .integer(0...65_535),
            "the port of the HTTP endpoint; 0 takes any free one and logs it",
            flag: \.httpPort
        ),
        Setting(
            "advertised.url",
            \.advertisedURL,
            .optional(.serverURL),
            "where other instances reach this one; empty means http.host and http.port, or the machine's name where http.host is any address",
            flag: \.advertisedURL
        ),
        Setting(
            "http.peer-secret",
            \.httpPeerSecret,
            .optional(.peerSecret),
            "what instances show each other, the same for all, so that nobody else can ask as one; empty means that anyone can"
        ),
        Setting(
            "http.tokens-file",
            \.httpTokensFile,
            .optional(.text),
            "the file with the tokens that open the HTTP endpoint (docs/security.md), read again when it changes; empty means that anyone may ask"
        ),
        Setting(
            "http.token",
            \.httpToken,
            .optional(.bearerToken),
            "what get, watch and status show to an endpoint that wants a token"
        ),
        Setting(
            "http.jwt.issuer",
            \.httpJWTIssuer,
            .optional(.text),
            "who signs the tokens (JWT) that open the HTTP endpoint beside those of http.tokens-file (docs/security.md), as their iss names it"
        ),
        Setting(
            "http.jwt.audience",
            \.httpJWTAudience,
            .optional(.text),
            "the name by which such tokens say in their aud that they are for this service"
        ),
        Setting(
            "http.jwt.jwks-file",
            \.httpJWTJWKSFile,
            .optional(.text),
            "the file with the issuer's public keys (JWKS), read again when it changes"
        ),
        Setting(
            "http.jwt.jwks-url",
            \.httpJWTJWKSURL,
            .optional(.httpsURL),
            "where the issuer publishes them, asked every minute, instead of the file"
        ),
        Setting(
            "http.jwt.read-scope",
            \.httpJWTReadScope,
            .scope,
            "the scope of such a token that stands for read"
        ),
        Setting(
            "http.jwt.metrics-scope",
            \.httpJWTMetricsScope,
            .scope,
            "the scope of such a token that stands for metrics"
        ),
        Setting(
            "http.jwt.org-id-claim",
            \.httpJWTOrgIDClaim,
            .text,
            "the claim with the org_id whose payloads such a token shows; identity.org_id is one in an object"
        ),
        Setting(
            "http.jwt.without-org-id",
            \.httpJWTWithoutOrgID,
            .choice,
            "whether a token without that claim shows no payload, or those of all"
        ),
        Setting(
            "http.rate-limit",
            \.httpRateLimit,
            .integer(0...1_000_000),
            "the requests a second that a client may make, by its token, its subject or its address, and five seconds' worth at once; 0 means no limit"
        ),
        Setting(
            "http.tls.certificate-file",
            \.httpTLSCertificateFile,
            .optional(.text),
            "the HTTP endpoint's certificate and those up to its authority, in PEM, read again when it changes; empty means no TLS"
        ),
        Setting(
            "http.tls.key-file",
            \.httpTLSKeyFile,
            .optional(.text),
            "the key of that certificate, in PEM without a passphrase"
        ),
        Setting(
            "http.tls.ca-file",
            \.httpTLSCAFile,
            .optional(.text),
            "the authorities, in PEM, that get, watch, status and the other instances' questions trust; empty means the system's"
        ),
    ]

    private static let messages = [
        Setting(
            "input.keyed-by-payload-id",
            \.inputKeyedByPayloadID,
            .boolean,
            "whether every input record's key is its payload id, so that the repartition hop is not needed"
        ),
        Setting(
            "input.offset-reset",
            \.inputOffsetReset,
            .choice,
            "where to start in the input topic when the group has no offset yet",
            flag: \.inputOffsetReset
        ),
        Setting(
            "status.aliases",
            \.statusAliases,
            .aliases,
            "words of producers and what they mean, added to the built-in ones"
        ),
        Setting(
            "status-msg.max-bytes",
            \.statusMsgMaxBytes,
            .bytes(16...65_536),
            "how much of a status_msg is kept"
        ),
    ]

    private static let outcomes = [
        Setting(
            "completion.settle",
            \.completionSettle,
            .duration(.zero...maximumDuration),
            "how long a payload must stay at success before it counts as completed",
            flag: \.completionSettle
        ),
        Setting(
            "completion.required-services",
            \.completionRequiredServices,
            .services,
            "the services that must have reported before a payload counts as completed"
        ),
        Setting(
            "services.ignored",
            \.servicesIgnored,
            .services,
            "the services whose stages do not count towards a payload's status"
        ),
        Setting(
            "stall.after",
            \.stallAfter,
            .duration(.zero...maximumDuration),
            "how long an open payload must be silent before it counts as stalled; 0 means never",
            flag: \.stallAfter
        ),
        Setting(
            "stage.recovery",
            \.stageRecovery,
            .choice,
            "whether a stage's latest entry decides (a retry can recover it), or its first failure is final (sticky)"
        ),
    ]

    private static let storage = [
        Setting(
            "retention",
            \.retention,
            .duration(.milliseconds(1)...maximumDuration),
            "how long a payload is kept after it last changed",
            flag: \.retention
        ),
        Setting(
            "history.max-entries",
            \.historyMaxEntries,
            .integer(1...100_000),
            "how many status entries are kept of a payload"
        ),
        Setting(
            "history.max-bytes",
            \.historyMaxBytes,
            .bytes(1024...(4 * 1024 * 1024)),
            "how many bytes of status entries are kept of a payload"
        ),
        Setting("state.dir", \.stateDir, .text, "the directory of the local state", flag: \.stateDir),
        Setting(
            "store.block-cache",
            \.storeBlockCache,
            .bytes(storeBytes),
            "the memory for reading state, shared by all stores"
        ),
        Setting(
            "store.write-buffers",
            \.storeWriteBuffers,
            .bytes(storeBytes),
            "the memory for writing state, shared by all stores"
        ),
        Setting(
            "store.cache",
            \.storeCache,
            .bytes(storeBytes),
            "the memory for payloads kept decoded between messages, shared by all partitions"
        ),
    ]

    private static let log = [
        Setting("log.level", \.logLevel, .choice, "the least severe log lines that are written", flag: \.logLevel),
        Setting("log.format", \.logFormat, .choice, "log lines for people or for programs", flag: \.logFormat),
    ]

    private static let maximumDuration = Duration.seconds(3650 * 86_400)
    private static let storeBytes = (1024 * 1024)...(1024 * 1024 * 1024 * 1024)
}
