import CRdKafka

/// Carries delivery reports to the listener; without one, keeps the first failure for the next flush.
final class ProducerCallbacks: ClientCallbacks {
    private var listener: (any DeliveryListener)?
    private var firstFailure: KafkaError?

    init(_ events: ClientEvents, delivery listener: (any DeliveryListener)?) {
        self.listener = listener
        super.init(events)
    }

    override func install(in conf: OpaquePointer) {
        super.install(in: conf)
        Self.installPolled(in: conf)
        rd_kafka_conf_set_dr_msg_cb(conf) { _, message, opaque in
            guard let message, let opaque else { return }
            let callbacks = Unmanaged<ProducerCallbacks>.fromOpaque(opaque).takeUnretainedValue()
            callbacks.delivered(DeliveryReport(message))
        }
    }

    func removeListener() {
        listener = nil
    }

    func takeFirstFailure() -> KafkaError? {
        defer { firstFailure = nil }
        return firstFailure
    }

    private func delivered(_ report: borrowing DeliveryReport) {
        if let listener {
            listener.delivered(report)
        } else if firstFailure == nil {
            firstFailure = report.error
        }
    }
}
