import CRdKafka

/// What librdkafka's callbacks reach through the configuration's opaque pointer. `ClientHandle` retains it for exactly as
/// long as the C handle lives. The log callback comes on the library's threads and reads `events` alone, which never
/// changes; everything else here belongs to the thread that polls.
class ClientCallbacks {
    let events: ClientEvents

    init(_ events: ClientEvents) {
        self.events = events
    }

    /// Registers the callbacks; subclasses add theirs.
    func install(in conf: OpaquePointer) {
        // Without a client there is nobody to tell, and without this callback the library would write to stderr.
        rd_kafka_conf_set_log_cb(conf) { client, level, facility, message in
            guard let client, let facility, let message, let opaque = rd_kafka_opaque(client) else { return }
            ClientCallbacks.from(opaque).events.log(
                ClientEvents.LogLevel(rawValue: level) ?? .debug,
                String(cString: facility),
                String(cString: message)
            )
        }
    }

    /// For clients that are polled: on others the events would pile up unseen.
    static func installPolled(in conf: OpaquePointer) {
        rd_kafka_conf_set_error_cb(conf) { client, code, reason, opaque in
            guard let client, let opaque else { return }
            let error = KafkaError(KafkaError.Code(rd_kafka_resp_err_t(code)), reason.map { String(cString: $0) })
            ClientCallbacks.from(opaque).events.error(
                error.code == .fatal ? ClientHandle.fatalError(of: client) ?? error : error
            )
        }
        rd_kafka_conf_set_stats_cb(conf) { _, json, size, opaque in
            guard let json, let opaque else { return 0 }
            let bytes = UnsafeRawBufferPointer(start: json, count: size)
            ClientCallbacks.from(opaque).events.statistics(String(decoding: bytes, as: UTF8.self))
            return 0  // the library frees the JSON
        }
    }

    private static func from(_ opaque: UnsafeMutableRawPointer) -> ClientCallbacks {
        Unmanaged<ClientCallbacks>.fromOpaque(opaque).takeUnretainedValue()
    }
}
