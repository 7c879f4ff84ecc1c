import Foundation
import Logging
import QueryService
import Testing

@testable import PayloadTracker

/// What an operator is told who wants the endpoint closed: it must not start open.
@Suite struct AccessSourcesTests {
    private static let token = "reading-token-0000"
    private static let keys = #"""
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}
        """#

    private func open(_ change: (inout Settings) -> Void) async throws -> AccessSources {
        var settings = Settings()
        settings.httpPeerSecret = PeerSecret("0123456789abcdef")
        change(&settings)
        return try await AccessSources(
            settings,
            authorities: .system,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    private func refusal(_ change: (inout Settings) -> Void) async throws -> String {
        let error = await #expect(throws: SettingsError.self) { try await open(change) }
        return try #require(error).description
    }

    private func file(_ text: String) throws -> String {
        let url = FileManager.default.temporaryDirectory.appending(path: "tokens-\(UUID().uuidString)")
        try text.write(to: url, atomically: true, encoding: .utf8)
        return url.path()
    }

    @Test("files that are right give their tokens and keys, and none are needed")
    func right() async throws {
        let none = try await open { _ in }
        #expect(none.tokens == nil && none.signed == nil && none.services.isEmpty)
        let (tokens, keys) = (try file("\(Self.token) read\n"), try file(Self.keys))
        defer { for path in [tokens, keys] { try? FileManager.default.removeItem(atPath: path) } }
        let both = try await open {
            $0.httpTokensFile = tokens
            $0.httpJWTJWKSFile = keys
            $0.httpJWTIssuer = "https://sso.example.com"
            $0.httpJWTAudience = "tracker"
        }
        #expect(both.tokens?.count == 1 && both.signed?.keyCount == 1 && both.services.count == 2)
    }

    @Test(
        "without a file of tokens that can be read and understood, and a peer secret, it does not start, and shows no token"
    )
    func wrongTokens() async throws {
        let path = try file("\(Self.token) write\n")
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(
            try await refusal { $0.httpTokensFile = "/nowhere/tokens" }.contains("/nowhere/tokens cannot be read")
        )
        let broken = try await refusal { $0.httpTokensFile = path }
        #expect(broken.contains("line 1") && !broken.contains(Self.token))
        let alone = try await refusal {
            $0.httpTokensFile = path
            $0.httpPeerSecret = nil
        }
        #expect(alone.contains("http.tokens-file needs http.peer-secret"))
    }

    @Test("half an issuer, or one whose keys are not there, does not start")
    func wrongIssuer() async throws {
        let (path, empty) = (try file(Self.keys), try file(#"{"keys": []}"#))
        defer { for path in [path, empty] { try? FileManager.default.removeItem(atPath: path) } }
        func whole(_ settings: inout Settings) {
            settings.httpJWTJWKSFile = path
            settings.httpJWTIssuer = "https://sso.example.com"
            settings.httpJWTAudience = "tracker"
        }
        for (change, expected) in [
            ({ $0.httpJWTIssuer = nil }, "http.jwt.jwks-file needs http.jwt.issuer and http.jwt.audience"),
            ({ $0.httpJWTAudience = nil }, "http.jwt.jwks-file needs http.jwt.issuer and http.jwt.audience"),
            ({ $0.httpJWTJWKSFile = nil }, "let nobody in without http.jwt.jwks-file or http.jwt.jwks-url"),
            ({ $0.httpJWTJWKSURL = URL(string: "https://a/b") }, "are both set"),
            ({ $0.httpPeerSecret = nil }, "http.jwt.jwks-file needs http.peer-secret"),
            ({ $0.httpJWTJWKSFile = "/nowhere/keys" }, "http.jwt.jwks-file /nowhere/keys cannot be read"),
            ({ $0.httpJWTJWKSFile = empty }, "there is no key in it"),
        ] as [((inout Settings) -> Void, String)] {
            let text = try await refusal {
                whole(&$0)
                change(&$0)
            }
            #expect(text.contains(expected), "\(text)")
        }
    }

    @Test("keys that are somewhere else do not hold up the start")
    func server() async throws {
        let sources = try await open {
            $0.httpJWTJWKSURL = URL(string: "https://127.0.0.1:1/certs")
            $0.httpJWTIssuer = "https://sso.example.com"
            $0.httpJWTAudience = "tracker"
        }
        #expect(sources.signed?.keyCount == 0)
        let error = await #expect(throws: SettingsError.self) { try await sources.services.first?.take() }
        #expect(error?.description == "http.jwt.jwks-url https://127.0.0.1:1/certs cannot be reached")
    }
}
