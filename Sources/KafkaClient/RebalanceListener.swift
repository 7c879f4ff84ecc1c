/// Hears of a consumer's assignment. Called inside the consumer's `poll` and `close`, on the thread that called them. Must
/// not close the consumer.
public protocol RebalanceListener: AnyObject {
    /// These partitions are now this consumer's, and already assigned: `pause` and `seek` work. With the cooperative
    /// protocol (KIP-429) they come in addition to those it has, and may be none.
    func partitionsAssigned(_ partitions: [TopicPartition])

    /// These partitions are about to go, and still assigned: `commit` works. Not so when they are `lost`, because the
    /// group went on without this consumer: then another member may already have them.
    func partitionsRevoked(_ partitions: [TopicPartition], lost: Bool)
}

/// How a group moves its partitions, as its members agreed.
public enum RebalanceProtocol: String, Sendable {
    /// Not in a group.
    case none = "NONE"
    /// Everything is revoked before anything is assigned.
    case eager = "EAGER"
    /// Only what moves is revoked (KIP-429).
    case cooperative = "COOPERATIVE"
}
