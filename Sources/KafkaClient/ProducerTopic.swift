import CRdKafka

/// A topic that a producer writes to, with its own settings. Belongs to its producer and is of no use after it.
public final class ProducerTopic {
    public let name: String
    /// Equals `DeliveryReport.topicHandle` of the records produced to it.
    public let handle: UnsafeRawPointer
    let settings: [String: String]
    let client: ClientHandle
    /// nil once the producer is closed.
    private(set) var pointer: OpaquePointer?

    init(_ name: String, settings: [String: String], of client: ClientHandle) throws(KafkaError) {
        let owner = try client.open()
        // The producer's own topic settings, and these over them.
        guard let conf = rd_kafka_default_topic_conf_dup(owner) else { throw .closed }
        do throws(KafkaError) {
            try ClientConfiguration.apply(settings) { rd_kafka_topic_conf_set(conf, $0, $1, $2, $3) }
        } catch {
            rd_kafka_topic_conf_destroy(conf)
            throw error
        }
        // Takes `conf` over, also when it fails.
        guard let pointer = rd_kafka_topic_new(owner, name, conf) else {
            throw KafkaError(KafkaError.Code(rd_kafka_last_error()), about: name)
        }
        self.name = name
        self.settings = settings
        self.client = client
        self.pointer = pointer
        handle = UnsafeRawPointer(pointer)
    }

    deinit { release() }

    /// The library wants its topics freed before the client.
    func release() {
        if let pointer { rd_kafka_topic_destroy(pointer) }
        pointer = nil
    }
}
