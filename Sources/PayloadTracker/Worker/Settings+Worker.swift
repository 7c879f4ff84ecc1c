import Foundation
import KafkaClient
import PayloadModel
import PayloadTopology
import StreamRuntime

// The settings as the modules below take them.

extension Settings {
    var topics: PayloadTopology.Topics {
        PayloadTopology.Topics(
            input: topicsInput,
            outcomes: topicsOutcomes,
            deadLetter: topicsDeadLetter,
            repartition: repartitionTopic,
            changelog: changelogTopic
        )
    }

    var rules: PayloadRules {
        var rules = PayloadRules()
        rules.vocabulary = StatusVocabulary(aliases: statusAliases)
        rules.statusMessageMaxBytes = statusMsgMaxBytes
        rules.stageRecovery = stageRecovery == .sticky ? .sticky : .latest
        rules.ignoredServices = Set(servicesIgnored.map { Text($0) })
        rules.requiredServices = Set(completionRequiredServices.map { Text($0) })
        rules.completionSettle = completionSettle.microseconds
        rules.stallAfter = stallAfter.microseconds
        for (service, time) in stallAfterByService { rules.stallAfterByService[Text(service)] = time.microseconds }
        rules.retention = retention.microseconds
        rules.historyMaxEntries = historyMaxEntries
        rules.historyMaxBytes = historyMaxBytes
        return rules
    }

    func streamSettings(createsInput: Bool) -> StreamSettings {
        var stream = StreamSettings(
            applicationID: applicationID,
            client: ClientConfiguration(kafka.values),
            stateDirectory: stateDir
        )
        stream.threads = streamThreads
        stream.guarantee = processingGuarantee
        stream.commitInterval = commitInterval
        stream.transactionTimeout = transactionTimeout
        stream.sessionTimeout = sessionTimeout
        stream.groupInstanceID = groupInstanceID
        stream.offsetReset = inputOffsetReset
        stream.standbyReplicas = standbyReplicas
        stream.blockCacheBytes = storeBlockCache
        stream.writeBufferBytes = storeWriteBuffers
        stream.cacheBytes = storeCache
        stream.partitions = topicsPartitions.map { Int32($0) }
        stream.replicationFactor = Int32(topicsReplicationFactor ?? -1)
        stream.createsInput = createsInput
        #if DEBUG
        if let kill = StepKill<CommitStep>("KILL_AT_COMMIT_STEP") { stream.onCommitStep = { kill.reached($0) } }
        if let kill = StepKill<RepartitionStep>("KILL_AT_REPARTITION_STEP") {
            stream.onRepartitionStep = { kill.reached($0) }
        }
        #endif
        return stream
    }

    /// Where a client on the same machine reaches the instance that has these settings.
    var reachableURL: String {
        if let advertisedURL { return advertisedURL.absoluteString }
        let host =
            switch httpHost {
            case "0.0.0.0": "127.0.0.1"
            case "::": "::1"
            default: httpHost
            }
        return url(host: host, port: httpPort)
    }

    func topology(observers: PayloadTopology.Observers = PayloadTopology.Observers()) -> Topology {
        PayloadTopology.make(
            topics: topics,
            rules: rules,
            isInputKeyed: inputKeyedByPayloadID,
            eventSource: "/\(applicationID)",
            observers: observers
        )
    }

    /// Where the endpoint listens.
    func listenURL(port: Int) -> String { url(host: httpHost, port: port) }

    /// Where other instances reach this one. An endpoint that listens on all addresses is told by the machine's name.
    func serverURL(port: Int) -> String {
        if let advertisedURL { return advertisedURL.serverRoot }
        let isAnyAddress = ["0.0.0.0", "::"].contains(httpHost)
        return url(host: isAnyAddress ? Settings.machineName ?? httpHost : httpHost, port: port)
    }

    private func url(host: String, port: Int) -> String {
        let scheme = httpTLSCertificateFile == nil ? "http" : "https"
        return "\(scheme)://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }

    private static var machineName: String? {
        var bytes = [CChar](repeating: 0, count: 256)
        guard gethostname(&bytes, bytes.count - 1) == 0 else { return nil }
        let name = String(decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return name.isEmpty ? nil : name
    }
}
