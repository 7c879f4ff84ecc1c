import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import PayloadModel
import QueryService
import Testing

@Suite("A payload of another instance", .timeLimit(.minutes(1)))
struct ForwardingTests {
    private static let secret = "correct horse battery".replacing(" ", with: "-")
    private static let instanceHeader = HTTPField.Name("Payload-Tracker-Instance")
    private static let secretHeader = HTTPField.Name("Payload-Tracker-Peer-Secret")

    private func endpoint(
        _ directory: StubDirectory,
        _ client: StubPeerClient,
        reader: StubReader = .elsewhere,
        watcher: StubWatcher = StubWatcher(),
        secret: String? = nil
    ) -> Endpoint {
        let peers = Peers(directory: directory, client: client, secret: secret.flatMap { PeerSecret($0) })
        return Endpoint(reader: reader, watcher: watcher, peers: peers)
    }

    private func headers(_ instance: String? = "tracker-1", secret: String? = nil) throws -> HTTPFields {
        var headers: HTTPFields = [:]
        headers[try #require(Self.instanceHeader)] = instance
        headers[try #require(Self.secretHeader)] = secret
        return headers
    }

    @Test(
        "is asked of its owner, with the client's wishes, and the answer passed on as it is",
        arguments: [
            ("/v1/payloads/a%2Fb", "/v1/payloads/a%2Fb?wait=0ms"),
            ("/v1/payloads/abc?stale=allowed", "/v1/payloads/abc?wait=0ms&stale=allowed"),
            ("/v1/payloads/abc/statuses", "/v1/payloads/abc/statuses?"),
            ("/v1/payloads/abc/statuses?limit=7&stale=allowed", "/v1/payloads/abc/statuses?limit=7&stale=allowed"),
        ]
    )
    func forwarded(_ target: String, _ forwarded: String) async throws {
        let client = StubPeerClient { _ throws(PeerFailure) in
            PeerAnswer(
                status: .ok,
                headers: [.contentType: "application/json; charset=utf-8", .server: "not this"],
                body: ByteBuffer(string: #"{"served_by":"tracker-1"}"#)
            )
        }
        let endpoint = endpoint(StubDirectory([[3: .one]]), client, secret: Self.secret)
        let response = try await endpoint.ask(target)
        #expect(response.status == .ok)
        #expect(response.text == #"{"served_by":"tracker-1"}"#)
        #expect(response.headers[.contentType] == "application/json; charset=utf-8")
        #expect(response.headers[.server] == nil && response.headers[.cacheControl] == "no-store")
        let request = try #require(client.requests.first)
        #expect(client.requests.count == 1)
        #expect(request.url == "http://tracker-1:8080\(forwarded)")
        #expect(request.headers[try #require(Self.instanceHeader)] == "tracker-0")
        #expect(request.headers[try #require(Self.secretHeader)] == Self.secret)
        let head = try await endpoint.ask(target, .head)
        #expect(head.status == .ok && head.body.readableBytes == 0)
    }

    @Test("gives the owner the client's wait, and its own time on top")
    func wait() async throws {
        let client = StubPeerClient(["http://tracker-1": .ok])
        _ = try await endpoint(StubDirectory([[3: .one]]), client).ask("/v1/payloads/abc?wait=30s")
        let request = try #require(client.requests.first)
        let milliseconds = try #require(request.url.split(separator: "=").last?.dropLast(2))
        #expect((29_000...30_000).contains(try #require(Int(milliseconds))))
        #expect(request.timeout > .seconds(34) && request.timeout <= .seconds(35))
    }

    @Test("that leaves this instance while a client waits for it goes on being waited for at its owner")
    func leavesWhileWaiting() async throws {
        let client = StubPeerClient(["http://tracker-1": .ok])
        let reader = StubReader { (id, call) throws(ReadFailure) in
            if call == 3 { throw .elsewhere(partition: 3) }
            return .failedUpload(id, outcome: .open)
        }
        let watcher = StubWatcher(changes: 1)
        let response = try await endpoint(StubDirectory([[3: .one]]), client, reader: reader, watcher: watcher)
            .ask("/v1/payloads/abc?wait=60s")
        #expect(response.text == "http://tracker-1")
    }

    @Test(
        "about which the owner says no is told no, in the owner's words",
        arguments: [HTTPResponse.Status.badRequest, .notFound, .internalServerError, .serviceUnavailable]
    )
    func errors(_ status: HTTPResponse.Status) async throws {
        let client = StubPeerClient { _ throws(PeerFailure) in
            PeerAnswer(
                status: status,
                headers: [.contentType: "application/problem+json", .retryAfter: "7"],
                body: ByteBuffer(string: "why")
            )
        }
        let directory = StubDirectory([[3: .one]])
        let response = try await endpoint(directory, client).ask("/v1/payloads/abc")
        #expect(response.status == status && response.text == "why")
        #expect(response.headers[.retryAfter] == "7")
        #expect(client.requests.count == 1 && directory.refreshes.isEmpty)
    }

    @Test("is found after a move: the map is refreshed once and the new owner asked")
    func moved() async throws {
        let directory = StubDirectory([[3: .one], [3: .two]])
        let client = StubPeerClient(["http://tracker-1": .misdirectedRequest, "http://tracker-2": .ok])
        #expect(try await endpoint(directory, client).ask("/v1/payloads/abc").text == "http://tracker-2")
        #expect(directory.refreshes == [true])
    }

    @Test("is found after a crash, too, when the group already knows of it")
    func crashed() async throws {
        let directory = StubDirectory([[3: .one], [3: .two]])
        let client = StubPeerClient(["http://tracker-2": .ok])
        #expect(try await endpoint(directory, client).ask("/v1/payloads/abc").text == "http://tracker-2")
        #expect(directory.refreshes == [false])
    }

    @Test("that nobody admits to have is not looked for without end")
    func noCircles() async throws {
        let directory = StubDirectory([[3: .one], [3: .two], [3: .one]])
        let client = StubPeerClient([
            "http://tracker-1": .misdirectedRequest, "http://tracker-2": .misdirectedRequest,
        ])
        let endpoint = endpoint(directory, client)
        let detail = try await endpoint.problem("/v1/payloads/abc", is: .serviceUnavailable)
        #expect(detail.contains("partition 3") && detail.contains("tracker-2"))
        #expect(client.requests.count == 2 && directory.refreshes == [true])
    }

    @Test("whose owner is gone or slow is a 503 that names it and says when to come back")
    func noAnswer() async throws {
        for (failure, attempts) in [(PeerFailure.unreachable("refused"), 2), (.timedOut, 1), (.tooLarge, 1)] {
            let client = StubPeerClient { _ throws(PeerFailure) in throw failure }
            let endpoint = endpoint(StubDirectory([[3: .one], [3: .one]]), client)
            let response = try await endpoint.ask("/v1/payloads/abc")
            #expect(response.status == .serviceUnavailable)
            #expect(response.headers[.retryAfter].flatMap { Int($0) } ?? 0 > 0)
            #expect(try response.json()["detail"] as? String != nil && response.text.contains("tracker-1"))
            #expect(client.requests.count == attempts, "\(failure)")
        }
    }

    @Test("of which nobody knows an owner is a 503 after one look")
    func noOwner() async throws {
        let directory = StubDirectory([[:]])
        let client = StubPeerClient([:])
        let detail = try await endpoint(directory, client).problem("/v1/payloads/abc", is: .serviceUnavailable)
        #expect(detail.contains("partition 3"))
        #expect(directory.refreshes == [false] && client.requests.isEmpty)
    }

    @Test("of which the map says that it is here, while it is not, is not asked of this instance over the network")
    func aboutToOpen() async throws {
        let client = StubPeerClient(["http": .ok])
        let endpoint = endpoint(StubDirectory([[3: .zero]]), client)
        _ = try await endpoint.problem("/v1/payloads/abc", is: .serviceUnavailable)
        #expect(client.requests.isEmpty)
    }

    @Test(
        "whose owner cannot be asked is a 503 that says what to set right",
        arguments: [
            (TrackerInstance(name: "tracker-1", url: nil), HTTPResponse.Status.ok, "does not say"),
            (TrackerInstance(name: "tracker-1", url: "http://tracker-0:8080"), .ok, "advertised.url"),
            (.one, .forbidden, "http.peer-secret"), (.one, .found, "302"), (.one, .badGateway, "502"),
        ]
    )
    func unusableOwner(_ owner: TrackerInstance, _ status: HTTPResponse.Status, _ hint: String) async throws {
        let client = StubPeerClient(["http": status])
        let endpoint = endpoint(StubDirectory([[3: owner]]), client, secret: Self.secret)
        let detail = try await endpoint.problem("/v1/payloads/abc", is: .serviceUnavailable)
        #expect(detail.contains(hint) && !detail.contains(Self.secret))
    }

    @Test("is not asked of others when the request came from one: no question goes in circles")
    func forwardedOnce() async throws {
        let client = StubPeerClient(["http": .ok])
        let endpoint = endpoint(StubDirectory([[3: .one]]), client)
        let detail = try await endpoint.problem("/v1/payloads/abc", headers: headers(), is: .misdirectedRequest)
        #expect(detail.contains("partition 3"))
        #expect(client.requests.isEmpty)
    }

    @Test("is not asked of others with local=true", arguments: ["", "/statuses"])
    func localOnly(_ rest: String) async throws {
        let client = StubPeerClient(["http": .ok])
        let endpoint = endpoint(StubDirectory([[3: .one]]), client)
        let detail = try await endpoint.problem("/v1/payloads/abc\(rest)?local=true", is: .serviceUnavailable)
        #expect(detail.contains("not on this instance"))
        #expect(client.requests.isEmpty)
    }

    @Test("nobody passes for an instance without the secret, on any path")
    func secret() async throws {
        let endpoint = endpoint(
            StubDirectory([[:]]),
            StubPeerClient([:]),
            reader: StubReader { id, _ in .failedUpload(id) },
            secret: Self.secret
        )
        let wrong = [nil, "", Self.secret + "x", String(Self.secret.dropLast()), Self.secret.uppercased()]
        for path in ["/v1/payloads/abc", "/v1/payloads/abc/statuses", "/v1/partitions", "/healthz"] {
            for secret in wrong {
                let detail = try await endpoint.problem(path, headers: headers(secret: secret), is: .forbidden)
                #expect(!detail.contains(Self.secret))
            }
            #expect(try await endpoint.ask(path, headers: headers(secret: Self.secret)).status == .ok)
            // Who does not claim to be an instance need not show it.
            #expect(try await endpoint.ask(path, headers: headers(nil)).status == .ok)
        }
    }

    @Test("a slow instance holds up only so many requests, and those that wait leave room for those that do not")
    func slowPeer() async throws {
        let (releases, release) = AsyncStream.makeStream(of: Void.self)
        let client = StubPeerClient { request in
            if request.url.contains("abc") { for await _ in releases {} }
            return PeerAnswer(status: .ok, headers: [:], body: ByteBuffer())
        }
        try await endpoint(StubDirectory([[3: .one]]), client).server.application.test(.router) { http in
            let status = { @Sendable (target: String) in
                try await http.execute(uri: target, method: .get) { $0.status }
            }
            try await withThrowingTaskGroup(of: HTTPResponse.Status.self) { group in
                for _ in 0..<1_281 { group.addTask { try await status("/v1/payloads/abc?wait=60s") } }
                #expect(try await group.next() == .serviceUnavailable)
                #expect(try await status("/v1/payloads/quick") == .ok)
                for _ in 0..<257 { group.addTask { try await status("/v1/payloads/abc") } }
                #expect(try await group.next() == .serviceUnavailable)
                #expect(try await status("/v1/payloads/quick") == .serviceUnavailable)
                release.finish()
                for try await status in group { #expect(status == .ok) }
            }
            #expect(try await status("/v1/payloads/quick") == .ok)
        }
    }

    @Test("the secret is in no description, and one that can be guessed is none")
    func descriptions() throws {
        let secret = try #require(PeerSecret(Self.secret))
        for text in ["\(secret)", String(reflecting: secret), "\([secret])", "\(Optional(secret) as Any)"] {
            #expect(!text.contains("horse"))
        }
        var dumped = ""
        dump(secret, to: &dumped)
        #expect(!dumped.contains("horse"))
        let long = String(repeating: "x", count: 257)
        for text in ["", "0123456789abcde", "0123456789abcde\n", "0123456789 abcdef", "0123456789abcdé", long] {
            #expect(PeerSecret(text) == nil)
        }
    }
}
