import CRdKafka

/// Carries delivery reports to the listener; without one, keeps the first failure for the next flush.
final class ProducerCallbacks: ClientCallbacks {
    private var listener: (any DeliveryListener)?
    private var firstFailure: KafkaError?
    private let hearsOfUnmarkedSuccess: Bool

    init(_ events: ClientEvents, delivery listener: (any DeliveryListener)?) {
        self.listener = listener
        hearsOfUnmarkedSuccess = listener?.hearsOfUnmarkedSuccess ?? false
        super.init(events)
    }

    override func install(in conf: OpaquePointer) {
        super.install(in: conf)
        Self.installPolled(in: conf)
        rd_kafka_conf_set_dr_msg_cb(conf) { _, message, opaque in
            guard let message, let opaque else { return }
            // The `Producer` holds them for as long as its client lives: to count another reference for each record would take longer than
            // what is done here.
            Unmanaged<ProducerCallbacks>.fromOpaque(opaque)._withUnsafeGuaranteedRef {
                $0.delivered(DeliveryReport(message))
            }
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
        if report.isSuccess && report.opaque == 0 && !hearsOfUnmarkedSuccess { return }
        if let listener {
            listener.delivered(report)
        } else if firstFailure == nil {
            firstFailure = report.error
        }
    }
}
