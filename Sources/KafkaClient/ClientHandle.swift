import CRdKafka
import Dispatch

/// Owns one `rd_kafka_t`, and what its callbacks need for as long as it lives.
final class ClientHandle {
    /// nil once closed.
    private(set) var pointer: OpaquePointer?
    private let callbacks: ClientCallbacks

    init(
        _ type: rd_kafka_type_t,
        _ configuration: ClientConfiguration,
        callbacks: ClientCallbacks
    ) throws(KafkaError) {
        let conf = try configuration.makeConf()
        callbacks.install(in: conf)
        let retained = Unmanaged.passRetained(callbacks)
        rd_kafka_conf_set_opaque(conf, retained.toOpaque())
        var reason = ErrorText()
        guard let client = rd_kafka_new(type, conf, &reason.bytes, ErrorText.size) else {
            let code = KafkaError.Code(rd_kafka_last_error())
            rd_kafka_conf_destroy(conf)
            retained.release()
            throw KafkaError(code, reason.string)
        }
        pointer = client
        self.callbacks = callbacks
    }

    deinit { destroy() }

    func open() throws(KafkaError) -> OpaquePointer {
        guard let pointer else { throw .closed }
        return pointer
    }

    /// The error that made the client unusable, if there was one.
    static func fatalError(of client: OpaquePointer) -> KafkaError? {
        var reason = ErrorText()
        let code = rd_kafka_fatal_error(client, &reason.bytes, ErrorText.size)
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        return KafkaError(KafkaError.Code(code), reason.string, kind: .fatal)
    }

    var fatalError: KafkaError? { pointer.flatMap(Self.fatalError(of:)) }

    /// Frees the C handle. The library waits in there for its threads and for every record that was polled and not yet
    /// freed, so it is left to another thread, which may take longer than we wait for it.
    func destroy(waits: Bool = true) {
        guard let client = take() else { return }
        // Taken out of `self`, so the thread below is the only one that uses them.
        nonisolated(unsafe) let owned = (client: client, callbacks: Unmanaged.passUnretained(callbacks))
        let destroyed = DispatchSemaphore(value: 0)
        DispatchQueue(label: "kafka.client.close").async {
            rd_kafka_destroy_flags(owned.client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
            owned.callbacks.release()
            destroyed.signal()
        }
        if waits && destroyed.wait(timeout: .now() + .seconds(3)) == .timedOut {
            callbacks.events.log(.warning, "CLOSE", "The client is still closing, in the background")
        }
    }

    /// Gives the C handle and its callbacks up to the end of the process, where freeing them would abort it.
    func abandon() {
        _ = take()
    }

    private func take() -> OpaquePointer? {
        defer { pointer = nil }
        return pointer
    }
}
