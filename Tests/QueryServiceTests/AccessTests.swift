import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import PayloadModel
import QueryService
import Testing

/// What an operator who gives out tokens relies on.
@Suite("With tokens", .timeLimit(.minutes(1)))
struct AccessTests {
    private static let reading = "reading-token-0000"
    private static let scraping = "scraping-token-000"
    private static let tenant = "tenant-token-000000"
    private static let secret = "correct-horse-battery"
    private static let file = """
        # Who may ask.
        \(reading) read

        \(scraping) metrics
        \(tenant) read org_id=1
        """

    /// Payloads `mine` of organisation 1, `theirs` of organisation 2, `nobodys` of none.
    private static func states() throws -> [PayloadState] {
        try [("mine", "1"), ("theirs", "2"), ("nobodys", nil)].map { id, orgID in
            .failedUpload(try PayloadID(normalizing: id), orgID: orgID.map { Text($0) })
        }
    }

    private func endpoint(_ reader: StubReader? = nil, peers: Peers? = nil) throws -> Endpoint {
        let states = try Self.states()
        let byID = Dictionary(uniqueKeysWithValues: states.map { ($0.id, $0) })
        return Endpoint(
            reader: reader ?? StubReader { id, _ in byID[id] },
            lists: StubLists(states),
            outcomes: StubOutcomes([
                [
                    .failed(0, 5, account: nil, orgID: "2"), .failed(0, 6, account: nil, orgID: "1"),
                    .failed(0, 7, account: nil),
                ]
            ]),
            peers: peers,
            tokens: try AccessTokens(Self.file)
        )
    }

    private func headers(_ token: String?) -> HTTPFields {
        token.map { [.authorization: "Bearer \($0)"] } ?? [:]
    }

    private static let routes = [
        "/v1/payloads", "/v1/payloads/mine", "/v1/payloads/mine/statuses", "/v1/outcomes/stream", "/v1/summary",
        "/v1/partitions", "/api/v1/payloads", "/api/v1/payloads/mine", "/api/v1/statuses", "/nothing",
    ]

    @Test("nobody reads anything without one that is known", arguments: routes + ["/metrics"])
    func unknown(_ target: String) async throws {
        let endpoint = try endpoint()
        let without = try await endpoint.ask(target)
        #expect(without.status == .unauthorized)
        #expect(without.headers[.wwwAuthenticate] == "Bearer")
        for header in ["Bearer \(Self.reading)x", "Bearer", "Basic \(Self.reading)", Self.reading, "Bearer short"] {
            let wrong = try await endpoint.ask(target, headers: [.authorization: header])
            #expect(wrong.status == .unauthorized, "\(header)")
            #expect(wrong.headers[.wwwAuthenticate] == #"Bearer error="invalid_token""#)
            #expect(!wrong.text.contains(Self.reading))
        }
        let parameter = try await endpoint.ask("\(target)?access_token=\(Self.reading)")
        #expect(parameter.status == .unauthorized)
    }

    @Test("the refusal is a problem, and payload-tracker-go's where its clients ask")
    func refusal() async throws {
        let endpoint = try endpoint()
        #expect(try await endpoint.problem("/v1/payloads", is: .unauthorized).contains("Authorization: Bearer"))
        let compatible = try await endpoint.ask("/api/v1/payloads")
        #expect(try compatible.json()["message"] as? String != nil)
    }

    @Test("each opens what it is good for, and no more")
    func scopes() async throws {
        let endpoint = try endpoint()
        for target in Self.routes.dropLast() {
            #expect(try await endpoint.ask(target, headers: headers(Self.reading)).status == .ok, "\(target)")
            let refused = try await endpoint.ask(target, headers: headers(Self.scraping))
            #expect(refused.status == .forbidden, "\(target)")
            #expect(refused.headers[.wwwAuthenticate] == #"Bearer error="insufficient_scope", scope="read""#)
        }
        #expect(try await endpoint.ask("/metrics", headers: headers(Self.scraping)).status == .ok)
        #expect(
            try await endpoint.problem("/metrics", headers: headers(Self.reading), is: .forbidden).contains("metrics")
        )
    }

    @Test("probes and the page need none", arguments: ["/healthz", "/readyz", "/"])
    func open(_ target: String) async throws {
        #expect(try await endpoint().ask(target).status == .ok)
    }

    @Test("one of an organisation shows its payloads, and others' are as good as unknown")
    func tenantLookups() async throws {
        let endpoint = try endpoint()
        let headers = headers(Self.tenant)
        for rest in ["", "/statuses", "?stale=allowed", "/statuses?stale=allowed", "?local=true"] {
            #expect(try await endpoint.ask("/v1/payloads/mine\(rest)", headers: headers).status == .ok)
            for id in ["theirs", "nobodys"] {
                let refused = try await endpoint.ask("/v1/payloads/\(id)\(rest)", headers: headers)
                let absent = try await endpoint.ask("/v1/payloads/absent\(rest)", headers: headers)
                #expect(refused.status == .notFound)
                #expect(refused.text.replacing(id, with: "absent") == absent.text)
            }
        }
        #expect(try await endpoint.ask("/api/v1/payloads/mine", headers: headers).status == .ok)
        #expect(try await endpoint.ask("/api/v1/payloads/theirs", headers: headers).status == .notFound)
    }

    @Test("a standby's copy tells one organisation nothing of another's either")
    func tenantStandby() async throws {
        let states = try Self.states()
        let copies: @Sendable (PayloadID) -> PayloadState? = { id in states.first { $0.id == id } }
        let reader = StubReader(standby: copies) { (_, _) throws(ReadFailure) in throw .elsewhere(partition: 3) }
        let endpoint = try endpoint(reader)
        for rest in ["", "/statuses"] {
            let target = { (id: String) in "/v1/payloads/\(id)\(rest)?stale=allowed&local=true" }
            #expect(try await endpoint.ask(target("mine"), headers: headers(Self.tenant)).status == .ok)
            #expect(try await endpoint.ask(target("theirs"), headers: headers(Self.tenant)).status == .notFound)
        }
    }

    @Test("who waits for another organisation's payload cannot tell from the time whether it exists")
    func tenantWait() async throws {
        let theirs = try #require(try Self.states().first { $0.id.description == "theirs" })
        let reader = StubReader { _, _ in theirs }
        let response = try await endpoint(reader).ask("/v1/payloads/theirs?wait=50ms", headers: headers(Self.tenant))
        #expect(response.status == .notFound)
        // It looked again at the deadline, as it does for one that is unknown.
        #expect(reader.callCount > 1)
    }

    @Test("lists ask for the organisation's payloads alone")
    func tenantLists() async throws {
        let endpoint = try endpoint()
        for target in ["/v1/payloads", "/v1/payloads?org_id=1", "/api/v1/payloads", "/api/v1/statuses"] {
            #expect(try await endpoint.ask(target, headers: headers(Self.tenant)).status == .ok)
        }
        #expect(endpoint.lists.requests.count == 4)
        #expect(endpoint.lists.requests.allSatisfy { $0.filter.orgID == "1" })
        for target in ["/v1/payloads?org_id=2", "/api/v1/payloads?org_id=2"] {
            #expect(try await endpoint.ask(target, headers: headers(Self.tenant)).status == .forbidden)
        }
        // A cursor of someone who sees all is none of this list.
        let all = try await endpoint.ask("/v1/payloads?limit=1", headers: headers(Self.reading)).json()
        let cursor = try #require(all["next_cursor"] as? String)
        let response = try await endpoint.ask("/v1/payloads?cursor=\(cursor)", headers: headers(Self.tenant))
        #expect(response.status == .badRequest)
    }

    @Test("the stream tells of the organisation's outcomes alone")
    func tenantStream() async throws {
        let endpoint = try endpoint()
        let text = try await endpoint.ask("/v1/outcomes/stream", headers: headers(Self.tenant)).text
        #expect(text.contains(#"{"at":6}"#))
        #expect(!text.contains(#"{"at":5}"#) && !text.contains(#"{"at":7}"#))
    }

    @Test(
        "counts of all payloads are refused to one organisation",
        arguments: ["/v1/summary", "/v1/partitions", "/metrics"]
    )
    func tenantCounts(_ target: String) async throws {
        #expect(try await endpoint().ask(target, headers: headers(Self.tenant)).status == .forbidden)
    }

    @Test("other instances are asked for the organisation's payloads alone")
    func tenantForwarding() async throws {
        let client = StubPeerClient { _ throws(PeerFailure) in
            PeerAnswer(status: .notFound, headers: [:], body: ByteBuffer(string: "{}"))
        }
        let peers = Peers(directory: StubDirectory([[3: .one]]), client: client, secret: PeerSecret(Self.secret))
        let endpoint = try endpoint(.elsewhere, peers: peers)
        let targets = [
            "/v1/payloads/theirs", "/v1/payloads/theirs/statuses?stale=allowed", "/v1/payloads?account=5",
            "/v1/payloads",
            "/api/v1/payloads/theirs",
        ]
        for target in targets { _ = try await endpoint.ask(target, headers: headers(Self.tenant)) }
        #expect(client.requests.count >= targets.count)
        for request in client.requests {
            #expect(request.url.contains("&org_id=1") || request.url.contains("?org_id=1"), "\(request.url)")
            #expect(request.headers[.authorization] == nil)
        }
    }

    @Test("an instance tells another one of that organisation alone")
    func tenantForwarded() async throws {
        let peers = Peers(
            directory: StubDirectory([[3: .zero]]),
            client: StubPeerClient([:]),
            secret: PeerSecret(Self.secret)
        )
        let endpoint = try endpoint(peers: peers)
        let headers = try instance(secret: Self.secret)
        for rest in ["", "/statuses"] {
            #expect(try await endpoint.ask("/v1/payloads/theirs\(rest)", headers: headers).status == .ok)
            #expect(try await endpoint.ask("/v1/payloads/mine\(rest)?org_id=1", headers: headers).status == .ok)
            #expect(try await endpoint.ask("/v1/payloads/theirs\(rest)?org_id=1", headers: headers).status == .notFound)
        }
        // It is no parameter for clients, who could take it for a filter.
        let client = try await endpoint.ask("/v1/payloads/mine?org_id=1", headers: self.headers(Self.reading))
        #expect(client.status == .badRequest)
    }

    @Test("nobody gets around them as an instance", arguments: [nil, secret])
    func instances(_ secret: String?) async throws {
        let peers = Peers(
            directory: StubDirectory([[3: .zero]]),
            client: StubPeerClient([:]),
            secret: secret.flatMap { PeerSecret($0) }
        )
        let endpoint = try endpoint(peers: peers)
        for shown in [nil, "wrong-horse-battery-0"] {
            let response = try await endpoint.ask("/v1/payloads/mine", headers: try instance(secret: shown))
            #expect(response.status == .forbidden)
        }
    }

    private func instance(secret: String?) throws -> HTTPFields {
        var headers: HTTPFields = [:]
        headers[try #require(HTTPField.Name("Payload-Tracker-Instance"))] = "tracker-1"
        headers[try #require(HTTPField.Name("Payload-Tracker-Peer-Secret"))] = secret
        return headers
    }

    @Test("a file that is read again counts from the next request on; a broken one changes nothing")
    func replaced() async throws {
        let endpoint = try endpoint()
        let tokens = try #require(endpoint.tokens)
        #expect(throws: AccessTokensError.self) { try tokens.replace(with: "short read") }
        #expect(try await endpoint.ask("/v1/payloads", headers: headers(Self.reading)).status == .ok)
        try tokens.replace(with: "another-token-0000 read")
        #expect(try await endpoint.ask("/v1/payloads", headers: headers(Self.reading)).status == .unauthorized)
        #expect(try await endpoint.ask("/v1/payloads", headers: headers("another-token-0000")).status == .ok)
    }

    @Test(
        "a mistake in the file is told by its line, without the line's text",
        arguments: [
            ("", "there is no token"), ("# nothing", "there is no token"), ("short read", "line 1"),
            ("\n\(reading)", "line 2"), ("\(reading) write", "a scope is one of: read, metrics"),
            ("\(reading) read,", "a scope is one of"), ("\(reading) read account=1", "org_id"),
            ("\(reading) read org_id=", "org_id"), ("\(reading) metrics org_id=1", "the only scope is read"),
            ("\(reading) read org_id=1 more", "at most an org_id"),
            ("\(reading) read\n\(reading) metrics", "line 2: this token is in the file already"),
        ]
    )
    func mistakes(_ text: String, _ expected: String) throws {
        let error = #expect(throws: AccessTokensError.self) { try AccessTokens(text) }
        let description = try #require(error).description
        #expect(description.contains(expected), "\(description)")
        #expect(!description.contains(Self.reading) && !description.contains("short"))
    }

    @Test("a token's text is in no description of it")
    func hidden() throws {
        let token = try #require(BearerToken(Self.reading))
        var dumped = "\(token) \(String(reflecting: token))"
        dump(token, to: &dumped)
        #expect(!dumped.contains(Self.reading))
    }
}
