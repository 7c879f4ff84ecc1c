import AsyncHTTPClient
import Foundation
import NIOHTTP1
import QueryService
import Testing

@testable import PayloadTracker

/// What a script that calls `get` relies on: the right payload is asked for, and the exit code says what came of it.
@Suite struct PayloadEndpointTests {
    @Test("an id reaches the endpoint as one path segment, whatever is in it")
    func address() throws {
        let endpoint = try PayloadEndpoint("http://127.0.0.1:8080/")
        #expect(
            endpoint.address(of: "a/../b?c#d e%2F", wait: nil)
                == "http://127.0.0.1:8080/v1/payloads/a%2F..%2Fb%3Fc%23d%20e%252F"
        )
        #expect(endpoint.address(of: "é", wait: .seconds(90)) == "http://127.0.0.1:8080/v1/payloads/%C3%A9?wait=90s")
        #expect(
            try PayloadEndpoint("https://host/tracker").address(of: "a", wait: nil)
                == "https://host/tracker/v1/payloads/a"
        )
    }

    @Test(
        "the exit code tells an unknown payload from a wrong id and from no answer",
        arguments: [(UInt(404), Int32(4)), (400, 2), (503, 1), (500, 1), (302, 1)]
    )
    func exitCodes(status: UInt, exitCode: Int32) throws {
        let endpoint = try PayloadEndpoint("http://host")
        let problem = Data("{\"title\": \"No\", \"status\": 0, \"detail\": \"it is\\nso\"}".utf8)
        let failure = try #require(throws: CommandFailure.self) {
            try endpoint.document("abc", status: status, body: problem)
        }
        #expect(failure.exitCode == exitCode)
        #expect(failure.description == "abc: it is\\u{a}so")
        let bare = try #require(throws: CommandFailure.self) {
            try endpoint.document("abc", status: status, body: Data("<html>".utf8))
        }
        #expect(bare.description == "abc: HTTP status \(status)")
    }

    @Test(
        "an address that is none is a wrong use",
        arguments: ["", "127.0.0.1:8080", "ftp://host", "http://", "http://host?x"]
    )
    func wrongAddress(text: String) {
        let failure = #expect(throws: CommandFailure.self) { try PayloadEndpoint(text) }
        #expect(failure?.exitCode == 2)
    }

    @Test("a token is shown to the endpoint, and one that is missing is told with the setting's name")
    func token() throws {
        let token = try #require(BearerToken("0123456789abcdef"))
        let endpoint = try PayloadEndpoint("http://host", token: token)
        #expect(endpoint.request("http://host/v1/summary").headers["Authorization"] == ["Bearer 0123456789abcdef"])
        #expect(try PayloadEndpoint("http://host").request("http://host/").headers["Authorization"].isEmpty)
        let failure = try #require(throws: CommandFailure.self) {
            try endpoint.document("abc", status: 401, body: Data())
        }
        #expect(failure.description.contains("PAYLOAD_TRACKER_HTTP_TOKEN") && failure.exitCode == 1)
    }

    @Test("no answer is a failure of one line")
    func unreachable() async throws {
        // Port 1 on loopback: nothing listens there.
        let endpoint = try PayloadEndpoint("http://127.0.0.1:1")
        let failure = await #expect(throws: CommandFailure.self) { try await endpoint.payload("abc", wait: nil) }
        #expect(failure?.exitCode == 1)
        #expect(failure?.description.contains("http://127.0.0.1:1") == true)
    }
}
