import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import QueryService
import Testing

@Suite("GET /v1/partitions of all instances", .timeLimit(.minutes(1)))
struct PartitionsOfAllTests {
    private typealias State = PartitionsDocument.State

    /// What an instance says of partitions 0 and 1: those that it has, and the others.
    private func document(
        of instance: TrackerInstance,
        _ states: [Int32: State],
        position: Int64 = 10,
        input: Int64? = nil
    ) -> PartitionsDocument {
        PartitionsDocument(
            data: (Int32(0)..<2).map { partition in
                let isHere = states[partition] != nil
                return PartitionsDocument.Payloads(
                    state: states[partition] ?? .unassigned,
                    owner: isHere ? instance.name : nil,
                    url: isHere ? instance.url : nil,
                    offsets: .init(
                        partition: partition,
                        position: isHere ? position : nil,
                        endOffset: isHere ? 20 : nil
                    ),
                    restoreRemaining: isHere ? 0 : nil,
                    payloads: isHere ? 5 : nil
                )
            },
            input: [.init(partition: 0, position: input, endOffset: input)]
        )
    }

    private func ask(
        _ own: PartitionsDocument,
        owners: [Int32: TrackerInstance],
        others: [TrackerInstance: PartitionsDocument],
        standbys: [Int32: [TrackerInstance]] = [:],
        target: String = "/v1/partitions"
    ) async throws -> (document: PartitionsDocument, client: StubPeerClient) {
        let answers = try others.map { (root: $0.key.url ?? "", body: try JSONEncoder().encode($0.value)) }
        let client = StubPeerClient { request throws(PeerFailure) in
            guard let answer = answers.first(where: { request.url == "\($0.root)/v1/partitions?local=true" }) else {
                throw .unreachable("refused")
            }
            return PeerAnswer(status: .ok, headers: [:], body: ByteBuffer(bytes: answer.body))
        }
        let peers = Peers(directory: StubDirectory([owners], standbys: standbys), client: client, secret: nil)
        let response = try await Endpoint(partitions: StubPartitions(document: own), peers: peers).ask(target)
        #expect(response.status == .ok)
        let body = Data(response.body.readableBytesView)
        return (try JSONDecoder().decode(PartitionsDocument.self, from: body), client)
    }

    @Test("each partition is told as its owner sees it")
    func merged() async throws {
        let own = document(of: .zero, [0: .running])
        let other = document(of: .one, [1: .restoring], input: 4)
        let (merged, _) = try await ask(own, owners: [0: .zero, 1: .one], others: [.one: other])
        #expect(merged.data == [own.data[0], other.data[1]])
        #expect(merged.input == other.input)
    }

    @Test("an owner that does not answer is named, with what it alone knows left open")
    func silentOwner() async throws {
        let own = document(of: .zero, [0: .running])
        let (merged, _) = try await ask(own, owners: [0: .zero, 1: .one], others: [:])
        let partition = merged.data[1]
        #expect(partition.owner == "tracker-1" && partition.url == "http://tracker-1:8080")
        #expect(partition.state == nil && partition.payloads == nil && partition.restoreRemaining == nil)
        #expect(partition.offsets == .init(partition: 1, position: nil, endOffset: nil))
    }

    @Test("a partition that its owner by the map does not have is nobody's: the map is old")
    func oldMap() async throws {
        let own = document(of: .zero, [0: .running])
        let (merged, _) = try await ask(own, owners: [0: .zero, 1: .one], others: [.one: document(of: .one, [:])])
        #expect(merged.data[1].state == .unassigned && merged.data[1].owner == nil)
    }

    @Test(
        "of two that run a partition, the one that the group named is believed, and anyone who runs it before one who restores"
    )
    func twoClaims() async throws {
        let own = document(of: .zero, [0: .running, 1: .running], position: 9)
        let other = document(of: .one, [0: .running, 1: .restoring])
        let (merged, _) = try await ask(own, owners: [0: .one, 1: .one], others: [.one: other])
        #expect(merged.data.map(\.owner) == ["tracker-1", "tracker-0"])
    }

    @Test("where nobody runs a partition the standby that lacks least is told, and of each who stands by for it")
    func standbys() async throws {
        func standby(_ instance: TrackerInstance, lag: Int64) -> PartitionsDocument {
            var document = document(of: instance, [:])
            document.data[1].state = .standby
            document.data[1].offsets = .init(partition: 1, position: 50, endOffset: 50 + lag)
            document.data[1].standbys = [
                .init(instance: instance.name, url: instance.url, position: 50, lag: lag, isComplete: true)
            ]
            return document
        }
        let owner = TrackerInstance(name: "tracker-3", url: "http://tracker-3:8080")
        let others: [TrackerInstance: PartitionsDocument] = [.one: standby(.one, lag: 2), .two: standby(.two, lag: 1)]
        var own = document(of: .zero, [0: .running])
        let standbys: [Int32: [TrackerInstance]] = [1: [.one, .two]]
        let (silent, _) = try await ask(own, owners: [0: .zero, 1: owner], others: others, standbys: standbys)
        #expect(silent.data[1].state == .standby && silent.data[1].offsets.endOffset == 51)
        #expect(silent.data[1].owner == "tracker-3")
        #expect(silent.data[1].standbys.map(\.instance) == ["tracker-1", "tracker-2"])

        own = document(of: .zero, [0: .running, 1: .running])
        let (running, _) = try await ask(own, owners: [0: .zero, 1: .zero], others: others, standbys: standbys)
        #expect(running.data[1].state == .running && running.data[1].owner == "tracker-0")
        #expect(running.data[1].standbys.map(\.lag) == [2, 1] && running.data[0].standbys.isEmpty)
    }

    @Test("asked for local=true, or by another instance, an instance tells of itself alone")
    func localOnly() async throws {
        let own = document(of: .zero, [0: .running])
        let (merged, client) = try await ask(own, owners: [1: .one], others: [:], target: "/v1/partitions?local=true")
        #expect(merged == own)
        #expect(client.requests.isEmpty)
    }
}
