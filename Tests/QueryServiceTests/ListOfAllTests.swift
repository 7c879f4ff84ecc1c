import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import PayloadModel
import QueryService
import Synchronization
import Testing

@Suite("GET /v1/payloads of all instances", .timeLimit(.minutes(1)))
struct ListOfAllTests {
    private static let instances: [TrackerInstance] = [.zero, .one, .two]

    /// Uploads of one partition, the nth second apart from those of the others, some at the same time.
    private func uploads(_ partition: Int32, _ count: Int = 20) throws -> [PayloadState] {
        try (0..<count).map { number in
            let id = try PayloadID(normalizing: "upload-\(partition)-\(number)")
            let date = Timestamp(microseconds: Int64(number * (Int(partition) + 1) / 2) * 1_000_000)
            let entry = StatusEntry(date: date, status: .failure, rawStatus: "error")
            let stage = Stage(service: "puptoo", source: nil, entries: [entry], firstDate: date, lastDate: date)
            return PayloadState(
                id: id,
                stages: [stage].compactMap { $0 },
                attributes: Attributes(),
                trimmedThrough: nil,
                outcome: .failed,
                revision: 1,
                changedAt: date
            )
        }
    }

    /// Instance n has partition n, unless it is told to have others.
    private func endpoint(
        lists: [StubLists],
        silent: Set<TrackerInstance> = [],
        owners: [Int32: TrackerInstance] = [0: .zero, 1: .one, 2: .two]
    ) -> (endpoint: Endpoint, directory: StubDirectory, client: StubPeerClient) {
        let others = zip(Self.instances, lists).map { (instance: $0, endpoint: Endpoint(lists: $1)) }
        let client = StubPeerClient { request throws(PeerFailure) in
            guard let other = others.first(where: { request.url.hasPrefix("\($0.instance.url ?? "")/") }),
                !silent.contains(other.instance)
            else {
                throw .unreachable("refused")
            }
            do {
                let target = String(request.url.dropFirst((other.instance.url ?? "").count))
                let answer = try await other.endpoint.ask(target, headers: request.headers)
                return PeerAnswer(status: answer.status, headers: answer.headers, body: answer.body)
            } catch {
                throw .unreachable("\(error)")
            }
        }
        let directory = StubDirectory([owners, owners])
        let peers = Peers(directory: directory, client: client, secret: nil)
        return (Endpoint(lists: lists[0], peers: peers), directory, client)
    }

    private func lists(_ count: Int = 20) throws -> [StubLists] {
        try (0..<Int32(3)).map { own in
            StubLists(try uploads(own, count), partition: own, missing: (0..<Int32(3)).filter { $0 != own })
        }
    }

    private func ids(_ fields: [String: Any]) -> [String] {
        (fields["data"] as? [[String: Any]] ?? []).compactMap { $0["payload_id"] as? String }
    }

    @Test("every payload is shown once and in order, whatever the pages' length", arguments: [1, 2, 3, 7, 59, 60, 500])
    func paging(limit: Int) async throws {
        let (endpoint, _, _) = endpoint(lists: try lists())
        let expected = try (0..<Int32(3)).flatMap { try uploads($0) }
            .compactMap { state in state.updatedAt.map { ListPosition(updatedAt: $0, id: state.id) } }
            .sorted().map { "\($0.id)" }
        var seen: [String] = []
        var cursor: String?
        repeat {
            let fields = try await endpoint.ask("/v1/payloads?limit=\(limit)\(cursor.map { "&cursor=\($0)" } ?? "")")
                .json()
            #expect(ids(fields).count <= limit)
            #expect(fields.keys.sorted() == ["data", "next_cursor"])
            seen += ids(fields)
            cursor = fields["next_cursor"] as? String
        } while cursor != nil && seen.count <= 60
        #expect(seen == expected)
    }

    @Test("payloads are shown as their instance shows them, with the client's filters")
    func document() async throws {
        let (endpoint, _, client) = endpoint(lists: try lists(1))
        let query = "service=puptoo&since=1969-12-31T00:00:00%2B02:00&limit=5"
        let fields = try await endpoint.ask("/v1/payloads?partial=allowed&\(query)").json()
        let alone = try await Endpoint(lists: try lists(1)[1]).ask("/v1/payloads?local=true").json()
        let listed = try #require((fields["data"] as? [[String: Any]])?.first { $0["partition"] as? Int == 1 })
        let expected = try #require((alone["data"] as? [[String: Any]])?.first)
        #expect(NSDictionary(dictionary: listed) == NSDictionary(dictionary: expected))
        #expect(fields["missing_partitions"] as? [Int] == [])
        #expect(
            Set(client.requests.map(\.url)) == [
                "http://tracker-1:8080/v1/payloads?\(query)&local=true",
                "http://tracker-2:8080/v1/payloads?\(query)&local=true",
            ]
        )
    }

    @Test(
        "a list that would lack a partition is a 503 that names it, after a second look at the map, or says what it lacks"
    )
    func missing() async throws {
        let (endpoint, directory, _) = endpoint(lists: try lists(), silent: [.two])
        let detail = try await endpoint.problem("/v1/payloads", is: .serviceUnavailable)
        #expect(detail.contains("partition 2") && detail.contains("partial=allowed"))
        #expect(directory.refreshes == [true])
        let fields = try await endpoint.ask("/v1/payloads?partial=allowed&limit=500").json()
        #expect(fields["missing_partitions"] as? [Int] == [2])
        #expect(ids(fields).count == 40)
        #expect(try await endpoint.problem("/v1/payloads?partial=yes", is: .badRequest).contains("partial"))
    }

    @Test("a partition that two have at once is shown by the one that the group names")
    func twoOwners() async throws {
        let lists = [
            StubLists(try uploads(0), partition: 0, missing: [1]),
            StubLists(try uploads(0, 10), partition: 0, missing: [1]),
            StubLists(try uploads(1), partition: 1, missing: [0]),
        ]
        let named = endpoint(lists: lists, owners: [0: .one, 1: .two]).endpoint
        #expect(ids(try await named.ask("/v1/payloads?limit=500").json()).count == 30)
        let unnamed = endpoint(lists: lists, owners: [1: .two, 7: .one]).endpoint
        #expect(ids(try await unnamed.ask("/v1/payloads?limit=500").json()).count == 40)
    }

    @Test("asked for local=true, an instance lists its own and says what it lacks")
    func localOnly() async throws {
        let (endpoint, _, client) = endpoint(lists: try lists())
        let fields = try await endpoint.ask("/v1/payloads?local=true&limit=500").json()
        #expect(ids(fields).count == 20 && fields["missing_partitions"] as? [Int] == [1, 2])
        #expect(client.requests.isEmpty)
    }

    /// Instances 0 and 1 stand by for partition 2, of instance 2, and do not know all of its payloads.
    private func stoodBy() throws -> [StubLists] {
        try (0..<Int32(3)).map { own in
            StubLists(
                try uploads(own),
                partition: own,
                missing: (0..<Int32(3)).filter { $0 != own },
                standbys: own == 2 ? [:] : [2: own == 0 ? (9, try uploads(2, 11)) : (4, try uploads(2, 16))]
            )
        }
    }

    @Test("with stale=allowed, the standby that lacks least stands in for an instance that does not answer")
    func standbys() async throws {
        let (endpoint, directory, client) = endpoint(lists: try stoodBy(), silent: [.two])
        var seen: [String] = []
        var cursor: String?
        repeat {
            let query = "stale=allowed&limit=7\(cursor.map { "&cursor=\($0)" } ?? "")"
            let fields = try await endpoint.ask("/v1/payloads?\(query)").json()
            let told = try #require(fields["standby_partitions"] as? [[String: Int]])
            #expect(told == [["partition": 2, "staleness_records": 4]])
            #expect(fields["staleness_records"] as? Int == 4)
            #expect(fields["missing_partitions"] == nil)
            seen += ids(fields)
            cursor = fields["next_cursor"] as? String
        } while cursor != nil && seen.count <= 60
        #expect(seen.count == 56 && Set(seen).count == 56)
        // One that did not answer is not asked again.
        let pages = client.requests.filter { $0.url.hasPrefix("http://tracker-1:8080/v1/payloads") }.count / 2
        #expect(client.requests.filter { $0.url.hasPrefix("http://tracker-2:") }.count == pages)
        #expect(directory.refreshes.isEmpty)
        _ = try await endpoint.problem("/v1/payloads", is: .serviceUnavailable)
    }

    @Test("with stale=allowed, standbys are not asked while everybody answers")
    func noStandbys() async throws {
        let (endpoint, _, client) = endpoint(lists: try stoodBy())
        let fields = try await endpoint.ask("/v1/payloads?stale=allowed&limit=500").json()
        #expect(ids(fields).count == 60)
        #expect(fields["staleness_records"] as? Int == 0)
        #expect((fields["standby_partitions"] as? [Any])?.isEmpty == true)
        #expect(client.requests.count == 2 && client.requests.allSatisfy { !$0.url.contains("stale") })
    }

    @Test("an instance that is alone and lacks a partition says so")
    func alone() async throws {
        let endpoint = Endpoint(lists: StubLists([], missing: [4]))
        #expect(try await endpoint.problem("/v1/payloads", is: .serviceUnavailable).contains("partition 4"))
        let fields = try await endpoint.ask("/v1/payloads?partial=allowed").json()
        #expect(fields["missing_partitions"] as? [Int] == [4])
    }
}
