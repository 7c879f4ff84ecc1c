import KafkaClient

// Who stands by for which partition: a pure function of the group's members and their assignments, so that all instances agree.

/// What librdkafka's `range` does, which deals each topic's partitions out to the members in order: the first of them get one more where
/// it does not come out even.
enum RangeAssignor {
    /// As librdkafka compares members. The coordinator makes a member's id of its `client.id`, and so of its instance's name.
    static func isBefore(_ one: GroupDescription.Member, _ other: GroupDescription.Member) -> Bool {
        if let first = one.groupInstanceID, let second = other.groupInstanceID {
            return first.utf8.lexicographicallyPrecedes(second.utf8)
        }
        return one.id.utf8.lexicographicallyPrecedes(other.id.utf8)
    }

    /// The member that gets a partition, as its place in the order.
    static func member(of partition: Int32, partitionCount: Int32, memberCount: Int) -> Int {
        let (share, rest) = Int(partitionCount).quotientAndRemainder(dividingBy: memberCount)
        let inLargerShares = rest * (share + 1)
        let partition = Int(partition)
        return partition < inLargerShares ? partition / (share + 1) : rest + (partition - inLargerShares) / share
    }
}

extension OwnershipMap {
    /// The instances that stand by for the partitions of a topic, those of partitions that have an owner. The first stands where the
    /// assignor puts the partition if its owner goes, the second where it puts it if both go, and so on.
    public func standbys(topic: String, partitionCount: Int32, replicas: Int) -> [Int32: [StreamInstance]] {
        var found: [Int32: [StreamInstance]] = [:]
        for (partition, owner) in owners(topic: topic) where partition < partitionCount {
            var left = members.filter { $0 != owner }
            var standbys: [StreamInstance] = []
            while standbys.count < replicas && !left.isEmpty {
                let place = RangeAssignor.member(
                    of: partition,
                    partitionCount: partitionCount,
                    memberCount: left.count
                )
                let next = left[place]
                standbys.append(next)
                left.removeAll { $0 == next }
            }
            found[partition] = standbys
        }
        return found
    }
}
