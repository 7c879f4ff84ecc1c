import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import PayloadModel
import Testing
import SeededRandom

@testable import QueryService

/// What an operator relies on who lets an identity provider say who may ask.
@Suite("With signed tokens", .timeLimit(.minutes(2)))
struct JSONWebTokensTests {
    private static let issuer = Result { try StubIssuer() }
    private let issuer: StubIssuer

    init() throws { issuer = try Self.issuer.get() }

    private func configuration(
        _ change: (inout JSONWebTokens.Configuration) -> Void = { _ in }
    ) -> JSONWebTokens.Configuration {
        var configuration = JSONWebTokens.Configuration(issuer: StubIssuer.name, audience: StubIssuer.audience)
        change(&configuration)
        return configuration
    }

    private func tokens(
        _ keys: Data? = nil,
        _ change: (inout JSONWebTokens.Configuration) -> Void = { _ in }
    ) async throws -> JSONWebTokens {
        let tokens = JSONWebTokens(configuration(change))
        try await tokens.replace(keys: try keys ?? issuer.keys())
        return tokens
    }

    private func grant(_ tokens: JSONWebTokens, _ token: String, at now: Date = Date()) throws -> AccessGrant {
        try tokens.grant(try #require(BearerToken(token)), at: now)
    }

    /// Expects a 401, and returns its detail.
    private func refusal(_ tokens: JSONWebTokens, _ token: String, at now: Date = Date()) throws -> String {
        let token = try #require(BearerToken(token))
        let problem = #expect(throws: Problem.self) { try tokens.grant(token, at: now) }
        #expect(problem?.status == .unauthorized)
        #expect(problem?.challenge == #"Bearer error="invalid_token""#)
        return problem?.detail ?? ""
    }

    // MARK: Signature

    @Test("a signature of the issuer's lets in", arguments: StubIssuer.Algorithm.allCases)
    func algorithms(_ algorithm: StubIssuer.Algorithm) async throws {
        let tokens = try await tokens()
        let grant = try grant(tokens, issuer.token(StubIssuer.claims(), algorithm))
        #expect(grant.scopes == [.read, .metrics] && grant.organisations == .one("1"))
        // Also of a key that does not say what for, in a token that does not say of which key.
        let bare = try await self.tokens(issuer.keys([algorithm], ["kid": nil, "alg": nil, "use": nil]))
        let plain = try issuer.token(StubIssuer.claims(), algorithm, header: ["kid": nil, "typ": nil])
        #expect(try self.grant(bare, plain).scopes == [.read, .metrics])
    }

    @Test("a token that anybody could have made is refused")
    func forgeries() async throws {
        let tokens = try await tokens()
        let claims = StubIssuer.claims()
        let genuine = try issuer.token(claims).split(separator: ".").map(String.init)
        let richer = try StubIssuer.unsigned(["alg": "ES256", "kid": "ES256"], StubIssuer.claims(["org_id": "2"]))
        let other = try StubIssuer().token(claims)
        for token in [
            other, "\(richer).\(genuine[2])", "\(genuine[0]).\(genuine[1]).", "\(genuine[0]).\(genuine[1]).AAAA",
            "\(genuine[0]).\(genuine[1]).\(genuine[2].dropLast(2))",
            try issuer.token(claims, header: ["kid": "ES384"]), try issuer.token(claims, header: ["kid": "unknown"]),
            try issuer.token(claims, .rs256, header: ["alg": "PS256", "kid": "PS256"]),
            try issuer.token(claims, .rs256, header: ["alg": "RS384", "kid": "RS256"]),
        ] {
            #expect(try refusal(tokens, token).contains("signature"), "\(token)")
        }
        for algorithm in ["none", "None", "NONE", "", "HS256", "HS384", "HS512"] {
            let signed = try StubIssuer.unsigned(["alg": algorithm], claims)
            #expect(try refusal(tokens, "\(signed).").contains("signature"))
            // Public keys are no secret: a signature with one for an HMAC key is none.
            let hash = HMAC<SHA256>.authenticationCode(
                for: Data(signed.utf8),
                using: SymmetricKey(data: try issuer.keys())
            )
            #expect(try refusal(tokens, "\(signed).\(Data(hash).base64URLEncoded)").contains("signature"))
        }
    }

    @Test("what the issuer signs for other ends is no token", arguments: ["logout+jwt", "secevent+jwt", "JOSE"])
    func otherKinds(_ type: String) async throws {
        let tokens = try await tokens()
        #expect(try refusal(tokens, issuer.token(header: ["typ": type])).contains("kind"))
        #expect(try refusal(tokens, issuer.token(header: ["crit": ["exp"]])).contains("kind"))
        for type in ["at+jwt", "application/at+jwt", "jwt"] {
            _ = try grant(tokens, issuer.token(header: ["typ": type]))
        }
    }

    @Test("whatever somebody shows is a 401 and no more", arguments: UInt64(0)..<8)
    func damaged(_ seed: UInt64) async throws {
        var random = SplitMix64(seed: seed)
        let tokens = try await tokens()
        let genuine = Array(try issuer.token().utf8)
        let alphabet = Array("ABab01-_.=".utf8)
        let headers = [
            #"{"alg":"ES256","kid":1e300}"#, #"{"alg":"ES256","x":1e300}"#, #"{"alg":["ES256"]}"#, "[]", "1", "",
            #"{"alg":"ES256","crit":"exp"}"#, String(repeating: "[", count: 5_000), "{\"alg\":\"\u{0}\"}", "nul",
        ]
        for _ in 0..<300 {
            var bytes = genuine
            for _ in 0..<(1 + random.below(3)) {
                let place = random.below(bytes.count)
                switch random.below(4) {
                case 0: bytes[place] = random.pick(alphabet)
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(random.pick(alphabet), at: place)
                default: bytes.removeSubrange(place..<min(place + 20, bytes.count))
                }
            }
            let parts = random.oneIn(4) ? "\(Data(random.pick(headers).utf8).base64URLEncoded).e30.AAAA" : nil
            let text = parts ?? String(decoding: bytes, as: UTF8.self)
            guard bytes != genuine || parts != nil, let token = BearerToken(text) else { continue }
            // A last character may differ in bits that stand for nothing.
            do throws(Problem) {
                let grant = try tokens.grant(token)
                #expect(grant.organisations == .one("1"), "seed \(seed): \(text)")
            } catch {
                #expect(error.status == .unauthorized, "seed \(seed): \(text)")
            }
        }
    }

    // MARK: Keys

    @Test("keys that change count from the next request on; a broken set changes nothing")
    func rotation() async throws {
        let next = try StubIssuer()
        let tokens = try await tokens()
        let (old, new) = (try issuer.token(), try next.token())
        _ = try grant(tokens, old)
        await #expect(throws: JSONWebKeysError.self) { try await tokens.replace(keys: Data("{}".utf8)) }
        _ = try grant(tokens, old)
        #expect(try await tokens.replace(keys: next.keys()))
        #expect(try await !tokens.replace(keys: next.keys()))
        #expect(try refusal(tokens, old).contains("signature"))
        _ = try grant(tokens, new)
    }

    @Test("as long as no keys are known, tokens are a 503: they may be right")
    func noKeys() async throws {
        let endpoint = Endpoint(signed: JSONWebTokens(configuration()))
        let headers: HTTPFields = [.authorization: "Bearer \(try issuer.token())"]
        _ = try await endpoint.problem("/v1/payloads/abc", headers: headers, is: .serviceUnavailable)
        #expect(try await endpoint.ask("/v1/payloads/abc").status == .unauthorized)
    }

    @Test("an issuer's keys for other things are left out")
    func otherKeys() async throws {
        let set = try JSONSerialization.jsonObject(with: issuer.keys([.es256])) as? [String: [[String: Any]]]
        let others: [[String: Any]] = [
            ["kty": "oct", "k": "c2VjcmV0"], ["kty": "RSA", "use": "enc", "alg": "RSA-OAEP-256"],
            ["kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"], ["kty": "OKP", "crv": "X25519", "x": "AA"],
            ["kty": "AKP", "alg": "ML-DSA-65", "pub": "AA"], ["kty": "RSA", "alg": "RSA-OAEP", "n": "AA"],
        ]
        let keys = ["keys": others + (try #require(set?["keys"]))]
        let tokens = try await tokens(JSONSerialization.data(withJSONObject: keys))
        #expect(tokens.keyCount == 1)
        _ = try grant(tokens, issuer.token())
    }

    @Test(
        "what is wrong with a set of keys is told by the key",
        arguments: [
            ("", "no set of keys"), ("[]", "no set of keys"), (#"{"keys": {}}"#, "no set of keys"),
            (#"{"keys": []}"#, "no key in it"), (#"{"keys": [{"kty": "oct", "k": "AAAA"}]}"#, "no key in it"),
            (#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "a", "x": "AA", "y": "AA"}]}"#, #"key "a" cannot"#),
            (#"{"keys": [{"kty": "EC", "crv": "P-256"}]}"#, "key number 1 cannot"),
            (#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "A", "y": "A", "d": "A"}]}"#, "is a private one"),
            (#"{"keys": [{"kty": "RSA", "n": "\#(String(repeating: "z", count: 171))", "e": "AQAB"}]}"#, "2048 bits"),
        ]
    )
    func wrongKeys(_ text: String, _ expected: String) async throws {
        let tokens = JSONWebTokens(configuration())
        let error = await #expect(throws: JSONWebKeysError.self) { try await tokens.replace(keys: Data(text.utf8)) }
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
    }

    // MARK: Claims

    @Test("a token of another issuer, for another service or another time is refused")
    func claims() async throws {
        let tokens = try await tokens()
        let now = Date()
        let seconds = now.timeIntervalSince1970
        for (changes, expected) in [
            (["iss": nil], "issuer"), (["iss": "\(StubIssuer.name)/"], "issuer"),
            (["iss": [StubIssuer.name]], "issuer"),
            (["aud": nil], "aud"), (["aud": "other"], "aud"), (["aud": [] as [String]], "aud"),
            (["aud": ["other", "account"]], "aud"), (["aud": "\(StubIssuer.audience) other"], "aud"),
            (["exp": nil], "exp"), (["exp": "\(seconds + 300)"], "exp"), (["exp": seconds - 31], "expired"),
            (["nbf": seconds + 31], "not valid yet"), (["nbf": "soon"], "not valid yet"),
        ] as [([String: Any?], String)] {
            let detail = try refusal(tokens, issuer.token(StubIssuer.claims(changes)), at: now)
            #expect(detail.contains(expected), "\(changes): \(detail)")
        }
        for changes in [
            ["aud": ["other", StubIssuer.audience]], ["exp": seconds - 29], ["nbf": seconds + 29], ["exp": 1e300],
        ] as [[String: Any?]] {
            _ = try grant(tokens, issuer.token(StubIssuer.claims(changes)), at: now)
        }
    }

    @Test("a token that was good is refused once it has expired")
    func expiry() async throws {
        let tokens = try await tokens()
        let token = try issuer.token()
        let now = Date()
        _ = try grant(tokens, token, at: now)
        _ = try grant(tokens, token, at: now + 300)
        #expect(try refusal(tokens, token, at: now + 332).contains("expired"))
    }

    @Test(
        "scopes are read from scope and scp, as a text or a list, whatever they are called",
        arguments: [
            (["scope": "read"], [.read]), (["scope": "openid metrics"], [.metrics]), (["scope": "reading"], []),
            (["scope": nil], []), (["scope": nil, "scp": ["read", "metrics"]], [.read, .metrics]),
            (["scope": nil, "scp": "read x"], [.read]), (["scope": ["metrics"]], [.metrics]), (["scope": 1], []),
        ] as [([String: (any Sendable)?], Set<AccessGrant.Scope>)]
    )
    func scopes(_ changes: [String: (any Sendable)?], _ expected: Set<AccessGrant.Scope>) async throws {
        let claims = StubIssuer.claims(changes.mapValues { $0 })
        #expect(try await grant(tokens(), issuer.token(claims)).scopes == expected)
        let other = try await tokens {
            $0.readScope = "tracker:read"
            $0.metricsScope = "tracker:read"
        }
        #expect(try grant(other, issuer.token(claims)).scopes == [])
        let both = try issuer.token(StubIssuer.claims(["scope": "tracker:read"]))
        #expect(try grant(other, both).scopes == [.read, .metrics])
    }

    @Test("whose payloads a token shows is in the claim that the operator names")
    func organisations() async throws {
        for (claim, claims, expected) in [
            ("org_id", ["org_id": "7"], "7"), ("org_id", ["org_id": " 7 "], "7"), ("org_id", ["org_id": 7], "7"),
            ("identity.org_id", ["identity": ["org_id": "7"]], "7"),
            ("https://example.com/org", ["https://example.com/org": "7"], "7"),
            ("org_id", [:], nil), ("org_id", ["org_id": ""], nil), ("org_id", ["org_id": "None"], nil),
            ("org_id", ["org_id": ["7"]], nil), ("org_id", ["org_id": true], nil), ("org_id", ["org_id": 1.5], nil),
            ("identity.org_id", ["org_id": "7"], nil), ("identity.org_id", ["identity": "7"], nil),
        ] as [(String, [String: Any?], String?)] {
            let token = try issuer.token(
                StubIssuer.claims(["org_id": nil]).merging(claims.compactMapValues { $0 }) { $1 }
            )
            let careful = try await tokens { $0.orgIDClaim = claim }
            let organisations = expected.map { AccessGrant.Organisations.one(Text($0)) } ?? .unnamed(claim: claim)
            #expect(try grant(careful, token).organisations == organisations, "\(claim) \(claims)")
        }
        // Only where there is no such claim may a token show all; one that makes no sense must not.
        let open = try await tokens { $0.showsAllWithoutOrgID = true }
        #expect(try grant(open, issuer.token(StubIssuer.claims(["org_id": nil]))).organisations == .all)
        for value in ["", "null", ["7"], true, 1.5] as [Any] {
            let token = try issuer.token(StubIssuer.claims(["org_id": value]))
            #expect(try grant(open, token).organisations == .unnamed(claim: "org_id"), "\(value)")
        }
    }

    // MARK: Requests

    private func headers(_ claims: [String: Any]) throws -> HTTPFields {
        [.authorization: "Bearer \(try issuer.token(claims))"]
    }

    @Test("opens what its scopes are good for, for its organisation alone")
    func requests() async throws {
        let payloads = try [("mine", "1"), ("theirs", "2")].map {
            PayloadState.failedUpload(try PayloadID(normalizing: $0), orgID: Text($1))
        }
        let endpoint = Endpoint(
            reader: StubReader { id, _ in payloads.first { $0.id == id } },
            lists: StubLists(payloads),
            signed: try await tokens()
        )
        let mine = try headers(StubIssuer.claims())
        for (target, status) in [
            ("/v1/payloads/mine", .ok), ("/v1/payloads/theirs", .notFound), ("/v1/payloads/mine/statuses", .ok),
            ("/v1/payloads/theirs/statuses", .notFound), ("/v1/payloads", .ok), ("/v1/payloads?org_id=2", .forbidden),
            ("/api/v1/payloads/theirs", .notFound), ("/v1/outcomes/stream", .ok), ("/v1/summary", .forbidden),
            ("/v1/partitions", .forbidden), ("/metrics", .forbidden), ("/", .ok), ("/healthz", .ok),
        ] as [(String, HTTPResponse.Status)] {
            #expect(try await endpoint.ask(target, headers: mine).status == status, "\(target)")
        }
        #expect(endpoint.lists.requests.allSatisfy { $0.filter.orgID == "1" })
        let nobodys = try headers(StubIssuer.claims(["org_id": nil]))
        #expect(
            try await endpoint.problem("/v1/payloads/mine", headers: nobodys, is: .forbidden).contains("claim org_id")
        )
        #expect(try await endpoint.ask("/metrics", headers: nobodys).status == .ok)
        let scraping = try headers(StubIssuer.claims(["org_id": nil, "scope": "metrics"]))
        #expect(try await endpoint.problem("/v1/payloads", headers: scraping, is: .forbidden).contains("scope read"))
        #expect(try await endpoint.ask("/v1/payloads/mine").headers[.wwwAuthenticate] == "Bearer")
    }

    @Test("those of the file hold beside them")
    func besideFile() async throws {
        let endpoint = Endpoint(tokens: try AccessTokens("reading-token-0000 read"), signed: try await tokens())
        for token in ["reading-token-0000", try issuer.token(StubIssuer.claims())] {
            let response = try await endpoint.ask("/v1/payloads", headers: [.authorization: "Bearer \(token)"])
            #expect(response.status == .ok)
        }
    }

    @Test("all the tokens of a subject are one client")
    func rates() async throws {
        let endpoint = Endpoint(signed: try await tokens(), rateLimit: 1)
        try await endpoint.server.application.test(.router) { http in
            func ask(_ changes: [String: Any?]) async throws -> HTTPResponse.Status {
                let headers = try headers(StubIssuer.claims(changes))
                return try await http.execute(uri: "/v1/payloads", method: .get, headers: headers) { $0.status }
            }
            var answers: [HTTPResponse.Status] = []
            for number in 0..<60 where answers.last != .tooManyRequests {
                answers.append(try await ask(["jti": "\(number)"]))
            }
            #expect(answers.last == .tooManyRequests)
            #expect(try await ask(["sub": "bob"]) == .ok)
        }
    }

    @Test("a stream ends with the token that opened it")
    func streamEnds() async throws {
        let endpoint = Endpoint(outcomes: StubOutcomes([[.failed(0, 5)]], isEndless: true), signed: try await tokens())
        let end = Date().timeIntervalSince1970 - JSONWebTokens.leeway + 2
        try await endpoint.server.application.test(.live) { http in
            let headers = try headers(StubIssuer.claims(["exp": end]))
            let status = try await http.execute(uri: "/v1/outcomes/stream", method: .get, headers: headers) {
                $0.status
            }
            #expect(status == .ok)
        }
    }

    @Test("memory is bounded however many tokens come")
    func bounded() async throws {
        let tokens = try await tokens()
        let first = try issuer.token()
        for number in 0...JSONWebTokens.maxGrants {
            _ = try grant(tokens, issuer.token(StubIssuer.claims(["jti": "\(number)"])))
        }
        #expect(tokens.grantCount <= JSONWebTokens.maxGrants)
        _ = try grant(tokens, first)
    }
}
