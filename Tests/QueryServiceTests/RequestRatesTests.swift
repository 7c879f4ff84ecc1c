import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import PayloadModel
import Testing

@testable import QueryService

/// One client must not take the endpoint from the others, nor its memory.
@Suite("Rates of clients", .timeLimit(.minutes(1)))
struct RequestRatesTests {
    private static let tokens = ["first-token-000000", "second-token-00000"]
    private static let secret = "correct-horse-battery"

    private static func headers(_ token: String) -> HTTPFields { [.authorization: "Bearer \(token)"] }

    /// Asks until that is refused, and gives the answers before. The clock goes on meanwhile, so their number is at least the burst.
    private func exhaust(_ http: any TestClientProtocol, _ headers: HTTPFields = [:]) async throws -> (
        before: [HTTPResponse.Status], refused: TestResponse
    ) {
        var before: [HTTPResponse.Status] = []
        while true {
            let answer = try await http.execute(uri: "/v1/payloads/abc", method: .get, headers: headers) { $0 }
            if answer.status == .tooManyRequests { return (before, answer) }
            before.append(answer.status)
            try #require(before.count < 60)
        }
    }

    @Test("a client that asks too often is told when to come back; probes, metrics and instances are not counted")
    func limited() async throws {
        let peers = Peers(
            directory: StubDirectory([[3: .one]]),
            client: StubPeerClient { _ throws(PeerFailure) in throw .timedOut },
            secret: PeerSecret(Self.secret)
        )
        try await Endpoint(peers: peers, rateLimit: 2).server.application.test(.router) { http in
            let (before, refused) = try await exhaust(http)
            #expect(before.count >= 10 && Set(before) == [.ok])
            #expect(refused.headers[.retryAfter] == "1")
            #expect(refused.headers[.contentType] == "application/problem+json")
            let instance: HTTPFields = [.trackerInstance: "two", .trackerSecret: Self.secret]
            for (target, headers) in [
                ("/healthz", [:]), ("/readyz", [:]), ("/metrics", [:]), ("/v1/payloads/abc", instance),
            ] {
                for _ in 0..<20 {
                    let status = try await http.execute(uri: target, method: .get, headers: headers) { $0.status }
                    #expect(status == .ok)
                }
            }
        }
    }

    @Test("a question of payload-tracker-go's clients is one request, however many it takes to answer it")
    func compatible() async throws {
        let lists = StubLists(try (0..<20).map { .failedUpload(try PayloadID(normalizing: "payload-\($0)")) })
        try await Endpoint(lists: lists, rateLimit: 1).server.application.test(.router) { http in
            let answer = try await http.execute(uri: "/api/v1/statuses?service=puptoo", method: .get) { $0 }
            #expect(answer.status == .ok)
        }
    }

    @Test(
        "guesses count wherever they are judged: of a token for metrics, of the instances' secret at a probe",
        arguments: [
            ("/metrics", [.authorization: "Bearer a-guess-000000000"], .unauthorized),
            ("/healthz", [.trackerInstance: "two", .trackerSecret: "a-guess"], .forbidden),
        ] as [(String, HTTPFields, HTTPResponse.Status)]
    )
    func guesses(_ target: String, _ headers: HTTPFields, _ refusal: HTTPResponse.Status) async throws {
        let peers = Peers(
            directory: StubDirectory([[3: .one]]),
            client: StubPeerClient([:]),
            secret: PeerSecret(Self.secret)
        )
        let tokens = try AccessTokens(Self.tokens.map { "\($0) metrics" }.joined(separator: "\n"))
        try await Endpoint(peers: peers, tokens: tokens, rateLimit: 1).server.application.test(.router) { http in
            var answers: [HTTPResponse.Status] = []
            for _ in 0..<60 where answers.last != .tooManyRequests {
                answers.append(try await http.execute(uri: target, method: .get, headers: headers) { $0.status })
            }
            #expect(answers.last == .tooManyRequests && Set(answers.dropLast()) == [refusal])
            let known = Self.headers(Self.tokens[0])
            #expect(try await http.execute(uri: "/metrics", method: .get, headers: known) { $0.status } == .ok)
        }
    }

    @Test("nobody gets around it by passing for an instance")
    func impostor() async throws {
        let endpoint = Endpoint(rateLimit: 2)
        #expect(try await endpoint.ask("/v1/payloads/abc", headers: [.trackerInstance: "two"]).status == .forbidden)
    }

    @Test("clients with a token are told apart by it; guesses of tokens count together")
    func tokens() async throws {
        let tokens = try AccessTokens(Self.tokens.map { "\($0) read" }.joined(separator: "\n"))
        try await Endpoint(tokens: tokens, rateLimit: 1).server.application.test(.router) { http in
            let first = try await exhaust(http, Self.headers(Self.tokens[0]))
            #expect(first.before.count >= 5 && Set(first.before) == [.ok])
            let guesses = try await exhaust(http, Self.headers("a-guess-000000000"))
            #expect(guesses.before.count >= 5 && Set(guesses.before) == [.unauthorized])
            let others = try await exhaust(http, Self.headers("another-guess-000"))
            #expect(others.before.count < 5)
            let second = try await exhaust(http, Self.headers(Self.tokens[1]))
            #expect(second.before.count >= 5 && Set(second.before) == [.ok])
        }
    }

    @Test("the rate is granted again as time goes by")
    func refill() throws {
        let rates = RequestRates(perSecond: 4)
        let start = ContinuousClock.now
        for _ in 0..<20 { try rates.admit(.others, at: start) }
        let problem = #expect(throws: Problem.self) { try rates.admit(.others, at: start) }
        #expect(problem?.retryAfterSeconds == 1)
        try rates.admit(.others, at: start + .milliseconds(250))
        #expect(throws: Problem.self) { try rates.admit(.others, at: start + .milliseconds(260)) }
        for _ in 0..<20 { try rates.admit(.others, at: start + .seconds(60)) }
    }

    @Test("memory is bounded however many clients come; those beyond share a rate until others have been quiet")
    func bounded() throws {
        let rates = RequestRates(perSecond: 1)
        let start = ContinuousClock.now
        func client(_ number: Int) -> RequestRates.Client {
            .address([UInt8(number >> 16), UInt8(number >> 8 & 0xFF), UInt8(number & 0xFF)])
        }
        for number in 0..<RequestRates.maxClients { try rates.admit(client(number), at: start) }
        var refused = 0
        for number in RequestRates.maxClients..<(2 * RequestRates.maxClients) {
            do throws(Problem) { try rates.admit(client(number), at: start) } catch { refused += 1 }
        }
        #expect(refused == RequestRates.maxClients - 5)
        #expect(rates.clientCount == RequestRates.maxClients + 1)
        // Who was there before is counted as before.
        try rates.admit(client(0), at: start)
        try rates.admit(client(2 * RequestRates.maxClients), at: start + .seconds(10))
        #expect(rates.clientCount == 1)
    }

    @Test("an address is a client, of IPv6 its network")
    func addresses() throws {
        func client(_ address: String) throws -> RequestRates.Client {
            RequestRates.Client(try SocketAddress(ipAddress: address, port: 1))
        }
        #expect(try client("2001:db8::1") == client("2001:db8::ffff:2"))
        #expect(try client("2001:db8::1") != client("2001:db8:0:1::1"))
        #expect(try client("10.0.0.1") != client("10.0.0.2"))
        #expect(try client("::ffff:10.0.0.1") == client("10.0.0.1"))
    }
}
