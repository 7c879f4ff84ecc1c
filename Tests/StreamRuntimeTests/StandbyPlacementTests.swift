import Testing

@testable import KafkaClient
@testable import StreamRuntime

/// When an instance dies, its partitions would land where nobody has stood by for them: their state is read anew, and there are no
/// stale answers meanwhile.
@Suite struct StandbyPlacementTests {
    /// A group whose partitions are dealt out as the range assignor does it.
    struct Fleet: CustomStringConvertible {
        var instances: Int
        var threads: Int
        var partitions: Int32
        var membership = Membership.dynamic

        /// Which instances have a `group.instance.id`; `mixed`: every other one, as while it is being introduced.
        enum Membership: CaseIterable {
            case dynamic, `static`, mixed
        }

        var description: String {
            "\(instances) \(membership) instances, \(threads) threads, \(partitions) partitions"
        }

        static let all: [Fleet] = Membership.allCases.flatMap { membership in
            (2...7).flatMap { instances in
                [1, 2, 3].flatMap { threads in
                    [Int32(1), 3, 12, 13, 64, 100].map {
                        Fleet(instances: instances, threads: threads, partitions: $0, membership: membership)
                    }
                }
            }
        }

        private func isStatic(_ instance: Int) -> Bool {
            switch membership {
            case .dynamic: false
            case .static: true
            case .mixed: instance.isMultiple(of: 2)
            }
        }

        /// As the coordinator tells of it: it makes a static member's id of the `group.instance.id`, and any other's of the `client.id`.
        private func member(_ instance: Int, thread: Int, _ assignment: [TopicPartition]) -> GroupDescription.Member {
            let clientID = Fleet.instance(instance).clientID(prefix: "app")
            let staticID = isStatic(instance) ? "i\(instance)-\(thread)" : nil
            return GroupDescription.Member(
                id: "\(staticID ?? clientID)-\(thread)",
                clientID: clientID,
                groupInstanceID: staticID,
                host: "/127.0.0.1",
                assignment: assignment
            )
        }

        /// - Parameter gone: instances that have left.
        func map(without gone: Set<Int> = [], isReversed: Bool = false) -> OwnershipMap {
            // "app;…" comes before "i…".
            let left = (0..<instances).filter { !gone.contains($0) }
            let ids = (left.filter { !isStatic($0) } + left.filter(isStatic))
                .flatMap { instance in (0..<threads).map { (instance: instance, thread: $0) } }
            var assignments: [Int: [TopicPartition]] = [:]
            for partition in 0..<partitions {
                let member = RangeAssignor.member(
                    of: partition,
                    partitionCount: partitions,
                    memberCount: ids.count
                )
                assignments[member, default: []].append(TopicPartition(topic: "hop", partition: partition))
            }
            let members = ids.enumerated().map { index, id in
                member(id.instance, thread: id.thread, assignments[index, default: []])
            }
            var map = OwnershipMap()
            map.update(
                GroupDescription(
                    id: "app",
                    state: .stable,
                    assignor: "range",
                    members: isReversed ? members.reversed() : members
                )
            )
            return map
        }

        static func instance(_ number: Int) -> StreamInstance {
            StreamInstance(name: "i\(number)", server: "http://i\(number):8080")
        }
    }

    @Test("partitions are dealt out as librdkafka does it: the first members get one more where it is not even")
    func range() {
        func dealt(_ partitions: Int32, _ members: Int) -> [Int] {
            (0..<partitions).map {
                RangeAssignor.member(of: $0, partitionCount: partitions, memberCount: members)
            }
        }
        #expect(dealt(7, 3) == [0, 0, 0, 1, 1, 2, 2])
        #expect(dealt(6, 3) == [0, 0, 1, 1, 2, 2])
        #expect(dealt(2, 5) == [0, 1])
    }

    @Test("static members are dealt out by what they call themselves, and not by what the coordinator calls them")
    func staticOrder() {
        func member(_ id: String, _ staticID: String?) -> GroupDescription.Member {
            GroupDescription.Member(id: id, clientID: "", groupInstanceID: staticID, host: "", assignment: [])
        }
        #expect(RangeAssignor.isBefore(member("b", "one"), member("a", "two")))
        #expect(!RangeAssignor.isBefore(member("a", "two"), member("b", "one")))
        #expect(RangeAssignor.isBefore(member("a", "two"), member("b", nil)))
        #expect(RangeAssignor.isBefore(member("a", nil), member("b", "one")))
    }

    @Test("whoever goes, each partition that moves lands on the instance that stood by for it", arguments: Fleet.all)
    func landing(_ fleet: Fleet) {
        let before = fleet.map()
        let owners = before.owners(topic: "hop")
        let standbys = before.standbys(topic: "hop", partitionCount: fleet.partitions, replicas: 1)
        for gone in 0..<fleet.instances {
            let after = fleet.map(without: [gone]).owners(topic: "hop")
            for (partition, owner) in after where owners[partition] != owner {
                #expect(standbys[partition] == [owner], "partition \(partition) when instance \(gone) goes")
            }
        }
    }

    @Test("of two that stand by, the second is there when owner and first go", arguments: Fleet.all)
    func second(_ fleet: Fleet) throws {
        let before = fleet.map()
        let standbys = before.standbys(topic: "hop", partitionCount: fleet.partitions, replicas: 2)
        for (partition, owner) in before.owners(topic: "hop") {
            let found = try #require(standbys[partition])
            #expect(found.count == min(2, fleet.instances - 1))
            #expect(Set(found + [owner]).count == found.count + 1)
            guard found.count == 2 else { continue }
            let gone = (0..<fleet.instances).filter { [owner, found[0]].contains(Fleet.instance($0)) }
            #expect(fleet.map(without: Set(gone)).owners(topic: "hop")[partition] == found[1])
        }
    }

    @Test("all instances agree, in whatever order the coordinator tells of the members", arguments: Fleet.all)
    func order(_ fleet: Fleet) {
        let standbys = fleet.map().standbys(topic: "hop", partitionCount: fleet.partitions, replicas: 2)
        let reversed = fleet.map(isReversed: true)
            .standbys(topic: "hop", partitionCount: fleet.partitions, replicas: 2)
        #expect(standbys == reversed)
    }

    @Test("no instance stands by for more than twice its share", arguments: Fleet.all)
    func balance(_ fleet: Fleet) {
        let standbys = fleet.map().standbys(topic: "hop", partitionCount: fleet.partitions, replicas: 1)
        let counts = Dictionary(grouping: standbys.values.joined()) { $0 }.mapValues(\.count)
        let share = Double(fleet.partitions) / Double(fleet.instances)
        for (instance, count) in counts {
            #expect(Double(count) <= 2 * (share + Double(fleet.threads)), "\(instance.name)")
        }
    }

    @Test("an instance that is alone has nobody to stand by for it, and nobody stands by where nobody owns")
    func alone() {
        let fleet = Fleet(instances: 1, threads: 3, partitions: 4)
        let standbys = fleet.map().standbys(topic: "hop", partitionCount: 4, replicas: 3)
        #expect(standbys.values.joined().isEmpty)
        #expect(fleet.map().standbys(topic: "other", partitionCount: 4, replicas: 3).isEmpty)
        #expect(OwnershipMap().standbys(topic: "hop", partitionCount: 4, replicas: 3).isEmpty)
    }
}
