import CRdKafka

/// Carries rebalances from librdkafka to the listener, and makes the assignment calls that it expects for each.
final class ConsumerCallbacks: ClientCallbacks {
    var listener: (any RebalanceListener)?
    private(set) var hasBeenAssigned = false
    private(set) var isRebalancing = false

    override func install(in conf: OpaquePointer) {
        super.install(in: conf)
        Self.installPolled(in: conf)
        rd_kafka_conf_set_rebalance_cb(conf) { client, code, partitions, opaque in
            guard let client, let opaque else { return }
            let callbacks = Unmanaged<ConsumerCallbacks>.fromOpaque(opaque).takeUnretainedValue()
            callbacks.rebalance(client, code, partitions)
        }
    }

    /// Serves what comes out of the queue that a consumer is closed through.
    func serve(_ event: OpaquePointer, of client: OpaquePointer) {
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_REBALANCE:
            rebalance(client, rd_kafka_event_error(event), rd_kafka_event_topic_partition_list(event))
        case RD_KAFKA_EVENT_ERROR:
            let reason = rd_kafka_event_error_string(event).map { String(cString: $0) }
            events.error(KafkaError(KafkaError.Code(rd_kafka_event_error(event)), reason))
        default:
            break
        }
    }

    private func rebalance(
        _ client: OpaquePointer,
        _ code: rd_kafka_resp_err_t,
        _ partitions: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
    ) {
        isRebalancing = true
        defer { isRebalancing = false }
        let isCooperative = Consumer.rebalanceProtocol(of: client) == .cooperative
        let moved = partitions?.pointee.partitions ?? []
        switch code {
        case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
            hasBeenAssigned = true
            report { () throws(KafkaError) in
                if isCooperative {
                    try KafkaError.check(rd_kafka_incremental_assign(client, partitions))
                } else {
                    try KafkaError.check(rd_kafka_assign(client, partitions))
                }
            }
            listener?.partitionsAssigned(moved)
        case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
            listener?.partitionsRevoked(moved, lost: rd_kafka_assignment_lost(client) != 0)
            report { () throws(KafkaError) in
                if isCooperative {
                    try KafkaError.check(rd_kafka_incremental_unassign(client, partitions))
                } else {
                    try KafkaError.check(rd_kafka_assign(client, nil))
                }
            }
        default:
            events.error(KafkaError(KafkaError.Code(code)))
            report { () throws(KafkaError) in try KafkaError.check(rd_kafka_assign(client, nil)) }
        }
    }

    private func report(_ body: () throws(KafkaError) -> Void) {
        do throws(KafkaError) {
            try body()
        } catch {
            events.error(error)
        }
    }
}
