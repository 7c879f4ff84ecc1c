import KafkaClient

/// Keeps the delivery reports of a producer.
final class RecordedDeliveries: DeliveryListener {
    struct Delivery: Hashable {
        var topicHandle: UnsafeRawPointer
        var topic: String
        var partition: Int32
        var offset: Int64
        var error: KafkaError?
        var opaque: UInt
        var keySize: Int
        var valueSize: Int
    }

    let hearsOfUnmarkedSuccess: Bool
    private(set) var deliveries: [Delivery] = []

    init(hearsOfUnmarkedSuccess: Bool = true) { self.hearsOfUnmarkedSuccess = hearsOfUnmarkedSuccess }

    func delivered(_ report: borrowing DeliveryReport) {
        deliveries.append(
            Delivery(
                topicHandle: report.topicHandle,
                topic: report.topic,
                partition: report.partition,
                offset: report.offset,
                error: report.error,
                opaque: report.opaque,
                keySize: report.keySize,
                valueSize: report.valueSize
            )
        )
    }
}
