import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import PayloadModel
import QueryService
import Testing

@Suite("GET /v1/summary", .timeLimit(.minutes(1)))
struct SummaryRouteTests {
    /// What an instance with these partitions, of three, counts: a payload for each number that it is told.
    private func part(_ totals: [Int32: Int], told: Int = 1, startedAt: Int64 = 0) -> SummaryPart {
        let activity = SummaryDocument.Activity(
            outcomes: [.failed: told],
            failingServices: ["puptoo": told],
            deadLetters: [.badDate: told]
        )
        return SummaryPart(
            partitions: totals.sorted { $0.key < $1.key }.map { partition, total in
                SummaryPart.Partition(
                    partition: partition,
                    payloads: .init(
                        total: total,
                        outcomes: [.open: total],
                        statuses: [.failure: total],
                        failingServices: ["a": total]
                    )
                )
            },
            missing: (0..<Int32(3)).filter { totals[$0] == nil },
            lastHour: activity,
            sinceStart: activity,
            startedAt: Timestamp(microseconds: startedAt)
        )
    }

    /// The first of these instances, which asks the others.
    private func endpoint(
        _ parts: [SummaryPart],
        owners: [Int32: TrackerInstance] = [0: .zero, 1: .one, 2: .two],
        silent: Set<TrackerInstance> = []
    ) -> (endpoint: Endpoint, directory: StubDirectory, client: StubPeerClient) {
        let others = zip([TrackerInstance.zero, .one, .two], parts).map { (instance: $0, part: $1) }
        let client = StubPeerClient { request throws(PeerFailure) in
            guard let other = others.first(where: { request.url.hasPrefix("\($0.instance.url ?? "")/") }),
                !silent.contains(other.instance)
            else {
                throw .unreachable("refused")
            }
            do {
                let target = String(request.url.dropFirst((other.instance.url ?? "").count))
                let answer = try await Endpoint(summary: StubSummary(part: other.part))
                    .ask(target, headers: request.headers)
                return PeerAnswer(status: answer.status, headers: answer.headers, body: answer.body)
            } catch {
                throw .unreachable("\(error)")
            }
        }
        let directory = StubDirectory([owners, owners])
        let peers = Peers(directory: directory, client: client, secret: nil)
        return (Endpoint(summary: StubSummary(part: parts[0]), peers: peers), directory, client)
    }

    private func total(_ fields: [String: Any]) -> Int? { (fields["payloads"] as? [String: Any])?["total"] as? Int }

    @Test("names every outcome and status, and what fails")
    func fields() async throws {
        let fields = try await Endpoint(summary: StubSummary(part: part([0: 3, 1: 2, 2: 2], told: 2)))
            .ask("/v1/summary").json()
        #expect(fields.keys.sorted() == ["last_hour", "payloads", "since_start", "started_at"])
        #expect(fields["started_at"] as? String == "1970-01-01T00:00:00.000000Z")
        let payloads = try #require(fields["payloads"] as? [String: Any])
        #expect(payloads["total"] as? Int == 7)
        #expect(payloads["outcomes"] as? [String: Int] == ["open": 7, "completed": 0, "failed": 0, "stalled": 0])
        let statuses = ["received": 0, "processing": 0, "success": 0, "failure": 7, "invalid": 0]
        #expect(payloads["statuses"] as? [String: Int] == statuses)
        #expect(payloads["failing_services"] as? [String: Int] == ["a": 7])
        let hour = try #require(fields["last_hour"] as? [String: Any])
        #expect(hour["outcomes"] as? [String: Int] == ["completed": 0, "failed": 2, "stalled": 0])
        #expect(hour["dead_letters"] as? [String: Int] == ["bad-date": 2])
    }

    @Test("counts of all instances are added up, whichever is asked")
    func all() async throws {
        let (endpoint, _, client) = endpoint([part([0: 1]), part([1: 20], startedAt: 5), part([2: 300], told: 7)])
        let fields = try await endpoint.ask("/v1/summary").json()
        #expect(total(fields) == 321)
        #expect(fields["missing_partitions"] == nil)
        #expect(fields["started_at"] as? String == "1970-01-01T00:00:00.000005Z")
        let sinceStart = try #require(fields["since_start"] as? [String: Any])
        #expect(sinceStart["outcomes"] as? [String: Int] == ["completed": 0, "failed": 9, "stalled": 0])
        #expect(client.requests.count == 2)
    }

    @Test("a partition that two have at once is counted once, as the one that the group names counts it")
    func twoOwners() async throws {
        let parts = [part([0: 1, 1: 2]), part([1: 20]), part([1: 30, 2: 300])]
        #expect(total(try await endpoint(parts).endpoint.ask("/v1/summary").json()) == 321)
        let unnamed = endpoint(parts, owners: [0: .zero, 2: .two, 9: .one]).endpoint
        #expect(total(try await unnamed.ask("/v1/summary").json()) == 303)
    }

    @Test("counts that would lack a partition are a 503 that names it, or say what they lack")
    func missing() async throws {
        let (endpoint, directory, _) = endpoint([part([0: 1]), part([1: 20]), part([2: 300])], silent: [.two])
        let detail = try await endpoint.problem("/v1/summary", is: .serviceUnavailable)
        #expect(detail.contains("partition 2") && detail.contains("partial=allowed"))
        #expect(directory.refreshes == [true])
        let fields = try await endpoint.ask("/v1/summary?partial=allowed").json()
        #expect(total(fields) == 21)
        #expect(fields["missing_partitions"] as? [Int] == [2])
        let alone = Endpoint(summary: StubSummary(part: part([0: 1, 1: 1])))
        #expect(try await alone.problem("/v1/summary", is: .serviceUnavailable).contains("partition 2"))
    }

    @Test("asked for local=true, an instance counts its own and says what it lacks")
    func localOnly() async throws {
        let (endpoint, _, client) = endpoint([part([0: 1]), part([1: 20]), part([2: 300])])
        let fields = try await endpoint.ask("/v1/summary?local=true").json()
        #expect(total(fields) == 1 && fields["missing_partitions"] as? [Int] == [1, 2])
        #expect(client.requests.isEmpty)
    }

    @Test("payloads by outcome are a metric of the instance that has them")
    func gauge() async throws {
        let text = try await Endpoint(summary: StubSummary(part: part([0: 3, 1: 4]))).ask("/metrics").text
        #expect(text.contains("payload_tracker_payloads{outcome=\"open\"} 7\n"))
        #expect(text.contains("payload_tracker_payloads{outcome=\"stalled\"} 0\n"))
    }
}
