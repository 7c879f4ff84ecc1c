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
        stream.commitInterval = commitInterval
        stream.sessionTimeout = sessionTimeout
        stream.groupInstanceID = groupInstanceID
        stream.offsetReset = inputOffsetReset == .latest ? .latest : .earliest
        stream.blockCacheBytes = storeBlockCache
        stream.writeBufferBytes = storeWriteBuffers
        stream.cacheBytes = storeCache
        stream.partitions = topicsPartitions.map { Int32($0) }
        stream.replicationFactor = Int32(topicsReplicationFactor ?? -1)
        stream.createsInput = createsInput
        return stream
    }

    func topology() -> Topology {
        PayloadTopology.make(
            topics: topics,
            rules: rules,
            isInputKeyed: inputKeyedByPayloadID,
            eventSource: "/\(applicationID)"
        )
    }
}
