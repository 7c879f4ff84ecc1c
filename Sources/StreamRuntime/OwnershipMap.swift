import KafkaClient

/// Which instance works on which partition, as the group's coordinator told it. It may be out of date at any time: only the instance
/// itself knows what it has.
public struct OwnershipMap: Sendable {
    /// Grows with each answer of the coordinator; 0: it has not been asked yet.
    public private(set) var version = 0
    /// All instances of the group, those without a partition too, by name.
    public private(set) var instances: [StreamInstance] = []
    /// Why the coordinator's last answer did not tell who owns what; nil: it did.
    public private(set) var problem: String?
    private var owners: [TopicPartition: StreamInstance] = [:]
    /// The instance of each member, in the order in which the range assignor deals partitions out.
    private(set) var members: [StreamInstance] = []

    /// Nil: nobody, as far as it is known.
    public func owner(topic: String, partition: Int32) -> StreamInstance? {
        owners[TopicPartition(topic: topic, partition: partition)]
    }

    /// The owners of a topic's partitions, of those that have one.
    public func owners(topic: String) -> [Int32: StreamInstance] {
        var found: [Int32: StreamInstance] = [:]
        for (partition, owner) in owners where partition.topic == topic { found[partition.partition] = owner }
        return found
    }

    /// Takes what a stable group says. While it rebalances it tells of no assignment at all: what was known stays, because partitions
    /// mostly come back to where they were, and who is asked in vain says so.
    mutating func update(_ group: GroupDescription) {
        version += 1
        switch group.state {
        case .stable, .empty, .dead:
            problem = nil
            owners = [:]
            members = []
            for member in group.members.sorted(by: RangeAssignor.isBefore) {
                let instance = StreamInstance(
                    clientID: member.clientID,
                    memberName: member.groupInstanceID ?? member.id
                )
                members.append(instance)
                for partition in member.assignment { owners[partition] = instance }
            }
            instances = Set(members).sorted { ($0.name, $0.server ?? "") < ($1.name, $1.server ?? "") }
        case .preparingRebalance, .completingRebalance, .unknown:
            problem = "the consumer group is rebalancing"
        }
    }

    /// Notes that the coordinator could not be asked; what was known stays.
    mutating func failed(_ reason: String) {
        version += 1
        problem = reason
    }
}
