import Testing

@testable import KafkaClient
@testable import StreamRuntime

/// A user would be sent to an instance that does not have the payload, or to none although one has it.
@Suite struct OwnershipMapTests {
    private let one = StreamInstance(name: "one", server: "http://10.0.0.1:8080")
    private let two = StreamInstance(name: "two", server: nil)

    @Test(
        "what an instance says of itself reaches the others, whatever the client is called beside that",
        arguments: ["payload-tracker", "", "with;semicolons;", "münchen"]
    )
    func clientID(prefix: String) {
        for instance in [one, two] {
            #expect(StreamInstance(clientID: instance.clientID(prefix: prefix), memberName: "member") == instance)
        }
    }

    @Test("a member that is none of ours has no address", arguments: ["", "rdkafka", "a;b", "a;;http://x"])
    func foreignMember(clientID: String) {
        let expected = StreamInstance(name: "member", server: nil)
        #expect(StreamInstance(clientID: clientID, memberName: "member") == expected)
    }

    @Test("the threads of an instance are one owner, and an instance without partitions is known too")
    func stableGroup() {
        var map = OwnershipMap()
        map.update(
            .group(
                .stable,
                [(one, [("in", 0), ("hop", 2)]), (one, [("hop", 0)]), (two, [("hop", 1)]), (.three, [])]
            )
        )
        #expect(map.version == 1 && map.problem == nil)
        #expect(map.instances == [one, .three, two])
        #expect(map.owners(topic: "hop") == [0: one, 1: two, 2: one])
        #expect(map.owner(topic: "in", partition: 0) == one)
        #expect(map.owner(topic: "in", partition: 1) == nil)
    }

    @Test(
        "in a rebalance, where the group tells of no assignment, what was known stays, with a warning",
        arguments: [GroupDescription.State.preparingRebalance, .completingRebalance, .unknown]
    )
    func rebalance(state: GroupDescription.State) {
        var map = OwnershipMap()
        map.update(.group(.stable, [(one, [("hop", 0)])]))
        map.update(.group(state, [(one, []), (two, [])]))
        #expect(map.owners(topic: "hop") == [0: one])
        #expect(map.version == 2)
        #expect(map.problem?.contains("rebalancing") == true)
        map.update(.group(.stable, [(two, [("hop", 0)])]))
        #expect(map.owners(topic: "hop") == [0: two])
        #expect(map.problem == nil)
    }

    @Test("nobody owns what the group no longer has", arguments: [GroupDescription.State.empty, .dead])
    func emptyGroup(state: GroupDescription.State) {
        var map = OwnershipMap()
        map.update(.group(.stable, [(one, [("hop", 0)])]))
        map.update(.group(state, []))
        #expect(map.owners(topic: "hop").isEmpty && map.instances.isEmpty)
    }
}

extension StreamInstance {
    static let three = StreamInstance(name: "three", server: "http://10.0.0.3:8080")
}

extension GroupDescription {
    static func group(
        _ state: State,
        _ members: [(instance: StreamInstance, partitions: [(String, Int32)])]
    ) -> GroupDescription {
        GroupDescription(
            id: "payload-tracker",
            state: state,
            assignor: "range",
            members: members.enumerated().map { index, member in
                Member(
                    id: "member-\(index)",
                    clientID: member.instance.clientID(prefix: "payload-tracker"),
                    groupInstanceID: nil,
                    host: "/127.0.0.1",
                    assignment: member.partitions.map { TopicPartition(topic: $0.0, partition: $0.1) }
                )
            }
        )
    }
}
