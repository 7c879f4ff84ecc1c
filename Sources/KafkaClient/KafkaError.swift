import CRdKafka

/// What librdkafka or a broker refused, failed at, or gave up on.
public struct KafkaError: Error, Hashable, Sendable, CustomStringConvertible {
    public let code: Code
    /// A sentence for people: what was tried and why it failed.
    public let message: String
    /// What to do about it.
    public let kind: Kind

    /// `message` defaults to the library's text for the code, `kind` to what the code alone tells.
    public init(_ code: Code, _ message: String? = nil, kind: Kind? = nil) {
        self.code = code
        self.message = message ?? code.text
        self.kind = kind ?? Kind(code)
    }

    public var description: String { "\(message) (\(code))" }
}

extension KafkaError {
    /// Takes over and frees the `rd_kafka_error_t`, and trusts what it says of its own kind.
    init(taking error: OpaquePointer) {
        let code = Code(rd_kafka_error_code(error))
        let kind: Kind? =
            if rd_kafka_error_is_fatal(error) != 0 {
                .fatal
            } else if rd_kafka_error_txn_requires_abort(error) != 0 {
                .abortable
            } else if rd_kafka_error_is_retriable(error) != 0 {
                .retriable
            } else {
                nil
            }
        self.init(code, String(cString: rd_kafka_error_string(error)), kind: kind)
        rd_kafka_error_destroy(error)
    }

    /// Throws what a call returned, if it is an error, and frees it.
    static func check(_ error: OpaquePointer?) throws(KafkaError) {
        if let error { throw KafkaError(taking: error) }
    }

    static func check(_ code: rd_kafka_resp_err_t) throws(KafkaError) {
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(Code(code)) }
    }

    /// As above, naming the partition, topic or group concerned.
    static func check(_ code: rd_kafka_resp_err_t, _ subject: some CustomStringConvertible) throws(KafkaError) {
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(Code(code), about: subject) }
    }

    init(_ code: Code, about subject: some CustomStringConvertible) {
        self.init(code, "\(subject): \(code.text)")
    }

    /// Any call on a client after its `close()`.
    static var closed: KafkaError { KafkaError(.closed, "The client is closed") }
}
