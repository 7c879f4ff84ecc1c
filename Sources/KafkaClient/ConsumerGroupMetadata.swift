import CRdKafka

/// Who a consumer is in its group at the moment (generation, member id), for `Producer.sendOffsets` (KIP-447). It goes
/// stale with the next rebalance: take a new one for each transaction.
public final class ConsumerGroupMetadata {
    let pointer: OpaquePointer

    /// Takes over `pointer`.
    init(taking pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit { rd_kafka_consumer_group_metadata_destroy(pointer) }
}
