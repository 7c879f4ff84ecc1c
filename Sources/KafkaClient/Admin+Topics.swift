import CRdKafka

/// A topic to create.
public struct NewTopic: Hashable, Sendable {
    public var name: String
    public var partitions: Int32
    /// -1 leaves it to the broker.
    public var replicationFactor: Int32
    /// Topic settings by Kafka's names, such as `cleanup.policy`.
    public var configuration: [String: String]

    public init(name: String, partitions: Int32, replicationFactor: Int32 = -1, configuration: [String: String] = [:]) {
        self.name = name
        self.partitions = partitions
        self.replicationFactor = replicationFactor
        self.configuration = configuration
    }
}

extension Admin {
    /// Creates topics, and waits until the controller did. One that is there already fails with `.topicAlreadyExists`.
    public func createTopics(
        _ topics: [NewTopic],
        timeout: Duration
    ) throws(KafkaError) -> [String: Result<Void, KafkaError>] {
        guard !topics.isEmpty else { return [:] }
        var handles: [OpaquePointer?] = []
        defer { for handle in handles { rd_kafka_NewTopic_destroy(handle) } }
        for topic in topics {
            handles.append(try Self.makeNewTopic(topic))
        }
        return try request(RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout: timeout) { client, options, queue in
            rd_kafka_CreateTopics(client, &handles, handles.count, options, queue)
        } read: { event in
            var count = 0
            let results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)
            return Self.topicResults(results, count)
        }
    }

    /// Deletes topics with all their records. One that is not there fails with `.unknownTopicOrPartition`.
    public func deleteTopics(
        _ names: [String],
        timeout: Duration
    ) throws(KafkaError) -> [String: Result<Void, KafkaError>] {
        guard !names.isEmpty else { return [:] }
        var handles = names.map { rd_kafka_DeleteTopic_new($0) }
        defer { for handle in handles { rd_kafka_DeleteTopic_destroy(handle) } }
        return try request(RD_KAFKA_ADMIN_OP_DELETETOPICS, timeout: timeout) { client, options, queue in
            rd_kafka_DeleteTopics(client, &handles, handles.count, options, queue)
        } read: { event in
            var count = 0
            let results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count)
            return Self.topicResults(results, count)
        }
    }

    /// The topic's settings, defaults included. Throws `.unknownTopicOrPartition` if there is no such topic.
    public func topicConfiguration(of name: String, timeout: Duration) throws(KafkaError) -> [String: String] {
        var handles: [OpaquePointer?] = [rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name)]
        defer { for handle in handles { rd_kafka_ConfigResource_destroy(handle) } }
        return try request(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout: timeout) { client, options, queue in
            rd_kafka_DescribeConfigs(client, &handles, handles.count, options, queue)
        } read: { event throws(KafkaError) in
            var count = 0
            let resources = rd_kafka_DescribeConfigs_result_resources(
                rd_kafka_event_DescribeConfigs_result(event),
                &count
            )
            var configuration: [String: String] = [:]
            for resource in UnsafeBufferPointer(start: resources, count: count) {
                try KafkaError.check(rd_kafka_ConfigResource_error(resource), name)
                var entryCount = 0
                let entries = rd_kafka_ConfigResource_configs(resource, &entryCount)
                for entry in UnsafeBufferPointer(start: entries, count: entryCount) {
                    guard let value = rd_kafka_ConfigEntry_value(entry) else { continue }
                    configuration[String(cString: rd_kafka_ConfigEntry_name(entry))] = String(cString: value)
                }
            }
            return configuration
        }
    }

    private static func makeNewTopic(_ topic: NewTopic) throws(KafkaError) -> OpaquePointer {
        var reason = ErrorText()
        guard
            let handle = rd_kafka_NewTopic_new(
                topic.name,
                topic.partitions,
                topic.replicationFactor,
                &reason.bytes,
                ErrorText.size
            )
        else {
            throw KafkaError(.invalidArgument, "\(topic.name): \(reason.string)")
        }
        for (key, value) in topic.configuration {
            // Refuses nothing but a missing name; the broker judges the rest.
            rd_kafka_NewTopic_set_config(handle, key, value)
        }
        return handle
    }

    private static func topicResults(
        _ results: UnsafeMutablePointer<OpaquePointer?>?,
        _ count: Int
    ) -> [String: Result<Void, KafkaError>] {
        var outcomes: [String: Result<Void, KafkaError>] = [:]
        for result in UnsafeBufferPointer(start: results, count: count) {
            let name = String(cString: rd_kafka_topic_result_name(result))
            let code = rd_kafka_topic_result_error(result)
            if code == RD_KAFKA_RESP_ERR_NO_ERROR {
                outcomes[name] = .success(())
            } else {
                let reason = rd_kafka_topic_result_error_string(result).map { "\(name): \(String(cString: $0))" }
                outcomes[name] = .failure(KafkaError(KafkaError.Code(code), reason))
            }
        }
        return outcomes
    }
}
