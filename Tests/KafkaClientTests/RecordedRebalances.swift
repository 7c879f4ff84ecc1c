import KafkaClient

/// Keeps what a consumer tells of its assignment, and may act on it.
final class RecordedRebalances: RebalanceListener {
    enum Event: Equatable {
        case assigned(Set<TopicPartition>)
        case revoked(Set<TopicPartition>, lost: Bool)
    }

    private(set) var events: [Event] = []
    private(set) var owned: Set<TopicPartition> = []
    var onAssigned: ([TopicPartition]) -> Void = { _ in }
    var onRevoked: ([TopicPartition]) -> Void = { _ in }

    func partitionsAssigned(_ partitions: [TopicPartition]) {
        events.append(.assigned(Set(partitions)))
        owned.formUnion(partitions)
        onAssigned(partitions)
    }

    func partitionsRevoked(_ partitions: [TopicPartition], lost: Bool) {
        events.append(.revoked(Set(partitions), lost: lost))
        onRevoked(partitions)
        owned.subtract(partitions)
    }
}
