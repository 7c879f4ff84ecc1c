import HTTPTypes
import Hummingbird
import HummingbirdTesting
import PayloadModel
import QueryService
import Testing

@Suite("Every request")
struct RequestRulesTests {
    static let paths = [
        "/v1/payloads", "/v1/payloads/abc", "/v1/payloads/abc/statuses", "/healthz", "/readyz", "/metrics", "/nothing",
        "/", "/v1/outcomes/stream",
    ]

    @Test("a method that might change something is refused, whatever the path", arguments: paths)
    func wrongMethod(_ path: String) async throws {
        let made = try #require(HTTPRequest.Method("MADE-UP"))
        for method in [.post, .put, .delete, .patch, .trace, made] as [HTTPRequest.Method] {
            _ = try await Endpoint().problem(path, method, is: .methodNotAllowed)
            #expect(try await Endpoint().ask(path, method).headers[.allow] == "GET, HEAD, OPTIONS")
        }
    }

    @Test("OPTIONS says what is allowed", arguments: paths + ["*"])
    func options(_ path: String) async throws {
        let response = try await Endpoint().ask(path, .options)
        #expect(response.status == .noContent)
        #expect(response.headers[.allow] == "GET, HEAD, OPTIONS")
        #expect(response.headers[.contentLength] == nil)
    }

    @Test("HEAD is GET without the body", arguments: paths)
    func head(_ path: String) async throws {
        let endpoint = Endpoint()
        let head = try await endpoint.ask(path, .head)
        let get = try await Endpoint().ask(path)
        #expect(head.status == get.status)
        #expect(head.headers[.contentType] == get.headers[.contentType])
        #expect(head.body.readableBytes == 0)
    }

    @Test(
        "a path that there is not is told apart from a payload that there is not",
        arguments: [
            "/nothing", "/v1", "/v1/payloads/abc/", "/v1/payloads/abc/nothing",
            "/v1/payloads/abc/statuses/",
            "/v2/payloads", "/v2/payloads/abc", "/v1/payload/abc", "//v1/payloads/abc", "/healthz/", "/HEALTHZ", "*",
        ]
    )
    func unknownPath(_ path: String) async throws {
        #expect(try await Endpoint().problem(path, is: .notFound) == "there is nothing at \(path)")
    }

    @Test(
        "a parameter that is not known is refused: a typo must not silently widen a question",
        arguments: [
            "/v1/payloads/abc?wiat=30s", "/v1/payloads/abc?limit=5", "/v1/payloads/abc/statuses?wait=5s",
            "/v1/payloads/abc/statuses?Limit=5", "/v1/payloads?wait=5s", "/v1/payloads?orgid=1", "/v1/partitions?x",
            "/v1/summary?x", "/v1/outcomes/stream?outcome=failed",
        ]
    )
    func unknownParameter(_ target: String) async throws {
        #expect(try await Endpoint().problem(target, is: .badRequest).contains("unknown query parameter"))
    }

    @Test("a parameter that is given twice or is badly encoded is refused: either answer would be a guess")
    func ambiguousParameter() async throws {
        let path = "/v1/payloads/abc/statuses"
        #expect(try await Endpoint().problem("\(path)?limit=1&limit=2", is: .badRequest).contains("limit"))
        #expect(try await Endpoint().problem("\(path)?limit=%1", is: .badRequest).contains("limit=%1"))
        #expect(try await Endpoint().problem("\(path)?limit=%FF", is: .badRequest).contains("percent-encoding"))
    }

    @Test("empty and encoded parts of a query mean what they say")
    func tolerantQuery() async throws {
        for query in ["?", "?&", "?limit=1&", "?l%69mit=%31"] {
            #expect(try await Endpoint().ask("/v1/payloads/abc/statuses\(query)").status == .ok)
        }
    }

    @Test("a path without end does not fill the memory or the log")
    func longTarget() async throws {
        let long = String(repeating: "x", count: 8 << 10)
        _ = try await Endpoint().problem("/v1/payloads/\(long)", is: .badRequest)
        _ = try await Endpoint().problem("/healthz?\(long)", is: .badRequest)
    }

    @Test("no answer is kept by a cache or guessed at by a browser", arguments: paths)
    func headers(_ path: String) async throws {
        for method in [.get, .head, .options, .post] as [HTTPRequest.Method] {
            let response = try await Endpoint().ask(path, method)
            #expect(response.headers[.cacheControl] == "no-store")
            #expect(response.headers[.xContentTypeOptions] == "nosniff")
        }
    }

    @Test("requests are counted by route and code, and made-up paths add no metric")
    func requestMetrics() async throws {
        let endpoint = Endpoint()
        for path in ["/made-up-1", "/made-up-2", "/v1/payloads/abc", "/v1/payloads/-1"] {
            _ = try await endpoint.ask(path)
        }
        let text = try await endpoint.ask("/metrics").text
        for line in [
            #"payload_tracker_http_request_duration_seconds_count{code="404",route="unknown"} 2"#,
            #"payload_tracker_http_request_duration_seconds_count{code="200",route="payload"} 1"#,
            #"payload_tracker_http_request_duration_seconds_count{code="400",route="payload"} 1"#,
        ] {
            #expect(text.contains("\(line)\n"))
        }
        #expect(!text.contains("made"))
    }
}
