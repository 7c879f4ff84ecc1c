import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import PayloadModel
import QueryService
import Testing

@Suite("stale=allowed", .timeLimit(.minutes(1)))
struct StaleAnswerTests {
    private static let instanceHeader = HTTPField.Name("Payload-Tracker-Instance")

    /// Stands by for the payload's partition, or does so only with `standby`.
    private func endpoint(
        _ directory: StubDirectory,
        _ client: StubPeerClient,
        reader: StubReader = StubReader(standby: { .failedUpload($0) }) { (_, _) throws(ReadFailure) in
            throw .elsewhere(partition: 3)
        }
    ) -> Endpoint {
        Endpoint(reader: reader, peers: Peers(directory: directory, client: client, secret: nil))
    }

    @Test("the owner's answer says that it is not behind, and only to those who ask", arguments: ["", "/statuses"])
    func owner(_ rest: String) async throws {
        let fresh = try await Endpoint().ask("/v1/payloads/abc\(rest)?stale=allowed").json()
        #expect(fresh["staleness_records"] as? Int == 0)
        #expect(try await Endpoint().ask("/v1/payloads/abc\(rest)").json()["staleness_records"] == nil)
        let unknown = Endpoint(reader: StubReader { (_, _) in nil })
        #expect(try await unknown.ask("/v1/payloads/abc\(rest)?stale=allowed").json()["staleness_records"] as? Int == 0)
        #expect(try await unknown.ask("/v1/payloads/abc\(rest)").json()["staleness_records"] == nil)
    }

    @Test("an owner that can be asked is asked, although this instance stands by")
    func ownerFirst() async throws {
        let client = StubPeerClient(["http://tracker-1": .ok])
        let endpoint = endpoint(StubDirectory([[3: .one]], standbys: [3: [.zero]]), client)
        #expect(try await endpoint.ask("/v1/payloads/abc?stale=allowed").text == "http://tracker-1")
    }

    @Test(
        "this instance answers as a standby for an owner that is gone, has lost the partition or restores it, at once",
        arguments: [nil, HTTPResponse.Status.misdirectedRequest, .serviceUnavailable, .badGateway],
        ["", "/statuses"]
    )
    func own(_ status: HTTPResponse.Status?, _ rest: String) async throws {
        let client = StubPeerClient(status.map { ["http://tracker-1": $0] } ?? [:])
        let directory = StubDirectory([[3: .one]], standbys: [3: [.zero, .two]])
        let endpoint = endpoint(directory, client)
        let fields = try await endpoint.ask("/v1/payloads/abc\(rest)?stale=allowed").json()
        #expect(fields["staleness_records"] as? Int == 7)
        #expect(client.requests.count == 1 && directory.refreshes.isEmpty)
        #expect(try await endpoint.ask("/v1/payloads/abc\(rest)").status == .serviceUnavailable)
    }

    @Test("an owner that does not answer is not waited for longer than a second, on top of the client's own wait")
    func slowOwner() async throws {
        let client = StubPeerClient { _ throws(PeerFailure) in throw .timedOut }
        let endpoint = endpoint(StubDirectory([[3: .one]], standbys: [3: [.zero]]), client)
        #expect(try await endpoint.ask("/v1/payloads/abc?stale=allowed").status == .ok)
        #expect(try await endpoint.ask("/v1/payloads/abc?stale=allowed&wait=10s").status == .ok)
        #expect(client.requests[0].timeout <= .seconds(1))
        #expect(client.requests[1].timeout > .seconds(10) && client.requests[1].timeout <= .seconds(11))
    }

    @Test("another standby is asked once where this instance is none")
    func other() async throws {
        let client = StubPeerClient(["http://tracker-2": .ok])
        let directory = StubDirectory([[3: .one]], standbys: [3: [.two]])
        let response = try await endpoint(directory, client, reader: .elsewhere).ask("/v1/payloads/abc?stale=allowed")
        #expect(response.text == "http://tracker-2")
        #expect(client.requests.map { $0.url.contains("stale=allowed") } == [true, true])
        #expect(directory.refreshes.isEmpty)
    }

    @Test("a partition that this instance is about to run is answered by who stood by for it")
    func opening() async throws {
        let client = StubPeerClient(["http://tracker-2": .ok])
        let opening = { (standby: (@Sendable (PayloadID) -> PayloadState?)?) in
            StubReader(standby: standby) { (_, _) throws(ReadFailure) in
                throw .noOwner(partition: 3, reason: "it is being restored", retryAfterSeconds: 2)
            }
        }
        let directory = StubDirectory([[3: .zero]], standbys: [3: [.two]])
        let itself = endpoint(directory, client, reader: opening { .failedUpload($0) })
        #expect(try await itself.ask("/v1/payloads/abc?stale=allowed").json()["staleness_records"] as? Int == 7)
        let another = endpoint(directory, client, reader: opening(nil))
        #expect(try await another.ask("/v1/payloads/abc?stale=allowed").text == "http://tracker-2")
        #expect(try await another.problem("/v1/payloads/abc", is: .serviceUnavailable).contains("being restored"))
    }

    @Test("where no standby can answer either, the new owner is looked for, and the client told what became of it")
    func nobody() async throws {
        let client = StubPeerClient(["http://tracker-2": .misdirectedRequest])
        let directory = StubDirectory([[3: .one]], standbys: [3: [.two]])
        let gone = endpoint(directory, client, reader: .elsewhere)
        let detail = try await gone.problem("/v1/payloads/abc?stale=allowed", is: .serviceUnavailable)
        #expect(detail.contains("tracker-1") && detail.contains("cannot be reached"))
        let moved = StubDirectory([[3: .one], [3: .two]])
        let found = StubPeerClient(["http://tracker-2": .ok])
        let response = try await endpoint(moved, found, reader: .elsewhere).ask("/v1/payloads/abc?stale=allowed")
        #expect(response.text == "http://tracker-2")
    }

    @Test("a payload that the standby does not know is unknown, and others are not asked for it")
    func unknown() async throws {
        let client = StubPeerClient([:])
        let reader = StubReader(standby: { _ in nil }) { (_, _) throws(ReadFailure) in throw .elsewhere(partition: 3) }
        let directory = StubDirectory([[3: .one]], standbys: [3: [.zero, .two]])
        let endpoint = endpoint(directory, client, reader: reader)
        let answer = try await endpoint.ask("/v1/payloads/abc?stale=allowed")
        #expect(answer.status == .notFound)
        #expect(try answer.json()["staleness_records"] as? Int == 7)
        #expect(client.requests.count == 1)
    }

    @Test("asked by another instance, or for local=true, a standby answers from its store and asks nobody")
    func local() async throws {
        let client = StubPeerClient(["http": .ok])
        let endpoint = endpoint(StubDirectory([[3: .one]], standbys: [3: [.zero]]), client)
        let headers: HTTPFields = [try #require(Self.instanceHeader): "tracker-1"]
        let forwarded = try await endpoint.ask("/v1/payloads/abc?stale=allowed", headers: headers).json()
        #expect(forwarded["staleness_records"] as? Int == 7)
        _ = try await endpoint.problem("/v1/payloads/abc", headers: headers, is: .misdirectedRequest)
        let local = try await endpoint.ask("/v1/payloads/abc?stale=allowed&local=true").json()
        #expect(local["staleness_records"] as? Int == 7)
        _ = try await endpoint.problem("/v1/payloads/abc?local=true", is: .serviceUnavailable)
        #expect(client.requests.isEmpty)
    }
}
