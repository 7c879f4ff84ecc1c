import CRdKafka

/// What became of one produced record. Valid only during the call that brings it.
public struct DeliveryReport: ~Copyable {
    private let message: UnsafePointer<rd_kafka_message_t>

    init(_ message: UnsafePointer<rd_kafka_message_t>) {
        self.message = message
    }

    /// Equals `ProducerTopic.handle` of the topic it was produced to.
    public var topicHandle: UnsafeRawPointer { UnsafeRawPointer(message.pointee.rkt) }

    /// A new string at each call.
    public var topic: String { String(cString: rd_kafka_topic_name(message.pointee.rkt)) }

    /// The partition it went to; negative if it failed before one was chosen.
    public var partition: Int32 { message.pointee.partition }

    /// Where it is; meaningless if there is an error.
    public var offset: Int64 { message.pointee.offset }

    var isSuccess: Bool { message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR }

    /// nil if the record is written as `acks` asks.
    public var error: KafkaError? { isSuccess ? nil : KafkaError(KafkaError.Code(message.pointee.err)) }

    /// As given to `produce`.
    public var opaque: UInt { UInt(bitPattern: message.pointee._private) }

    /// Bytes; 0 for null.
    public var keySize: Int { message.pointee.key_len }

    /// Bytes; 0 for null.
    public var valueSize: Int { message.pointee.len }
}

/// Hears what became of the records that `produce` took, of each once, but for successes that it does not want to hear of. Called inside
/// the producer's `poll`, `flush`, `commitTransaction`, `abortTransaction` and `close`, on the thread that called them.
public protocol DeliveryListener: AnyObject {
    /// Whether it also wants to hear of records that were written and had no `opaque`: a call for each costs some percent of all that
    /// sending it does.
    var hearsOfUnmarkedSuccess: Bool { get }
    func delivered(_ report: borrowing DeliveryReport)
}
