import Foundation
import Logging
import QueryService
import Testing

@testable import PayloadTracker

/// What an operator is told who wants the endpoint closed: it must not start open.
@Suite struct AccessTokensFileTests {
    private static let token = "reading-token-0000"

    private func open(_ path: String, secret: String? = "0123456789abcdef") throws -> AccessTokensFile {
        var settings = Settings()
        settings.httpPeerSecret = secret.flatMap { PeerSecret($0) }
        return try AccessTokensFile(
            path,
            settings: settings,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    private func file(_ text: String) throws -> String {
        let url = FileManager.default.temporaryDirectory.appending(path: "tokens-\(UUID().uuidString)")
        try text.write(to: url, atomically: true, encoding: .utf8)
        return url.path()
    }

    @Test("a file that is right gives its tokens")
    func right() throws {
        let path = try file("\(Self.token) read\n")
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try open(path).tokens.count == 1)
    }

    @Test(
        "without one that can be read and understood, and a peer secret, it does not start, and says why without a token"
    )
    func wrong() throws {
        let path = try file("\(Self.token) write\n")
        defer { try? FileManager.default.removeItem(atPath: path) }
        let missing = try #require(throws: WorkerError.self) { try open("/nowhere/tokens") }
        #expect(missing.description.contains("/nowhere/tokens cannot be read"))
        let broken = try #require(throws: WorkerError.self) { try open(path) }
        #expect(broken.description.contains("line 1") && !broken.description.contains(Self.token))
        let alone = try #require(throws: WorkerError.self) { try open(path, secret: nil) }
        #expect(alone.description.contains("http.peer-secret"))
        for error in [missing, broken, alone] { #expect(error.exitCode == 2) }
    }
}
