import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import PayloadModel
import QueryService
import Testing

/// The service without a socket, to be asked one request at a time.
struct Endpoint {
    var reader: any PayloadReader = StubReader { id, _ in .failedUpload(id) }
    var lists = StubLists()
    var summary = StubSummary()
    var watcher: any PayloadWatcher = StubWatcher()
    var partitions = StubPartitions()
    var outcomes: any OutcomeSource = StubOutcomes()
    var peers: Peers?
    var tokens: AccessTokens?
    var signed: JSONWebTokens?
    var rateLimit = 0
    var requestTimeout = TimeAmount.seconds(10)
    var health = StubHealth()
    let metrics = PrometheusMetrics()

    var server: QueryServer {
        var configuration = QueryServer.Configuration(host: "127.0.0.1", port: 0, rateLimit: rateLimit)
        configuration.requestTimeout = requestTimeout
        return QueryServer(
            configuration: configuration,
            reader: reader,
            lists: lists,
            summary: summary,
            watcher: watcher,
            partitions: partitions,
            outcomes: outcomes,
            peers: peers,
            tokens: tokens,
            signed: signed,
            health: health,
            metrics: metrics,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            onServerRunning: { _ in }
        )
    }

    func ask(
        _ target: String,
        _ method: HTTPRequest.Method = .get,
        headers: HTTPFields = [:]
    ) async throws -> TestResponse {
        try await server.application.test(.router) { client in
            try await client.execute(uri: target, method: method, headers: headers) { $0 }
        }
    }

    /// Expects the problem that RFC 9457 describes, and returns its detail.
    func problem(
        _ target: String,
        _ method: HTTPRequest.Method = .get,
        headers: HTTPFields = [:],
        is status: HTTPResponse.Status
    ) async throws -> String {
        let response = try await ask(target, method, headers: headers)
        #expect(response.status == status)
        #expect(response.headers[.contentType] == "application/problem+json")
        let fields = try response.json()
        #expect(fields.keys.sorted() == ["detail", "status", "title", "type"])
        #expect(fields["status"] as? Int == status.code)
        #expect(fields["title"] as? String == status.reasonPhrase)
        #expect(fields["type"] as? String == "about:blank")
        return try #require(fields["detail"] as? String)
    }
}

extension TestResponse {
    var text: String { String(buffer: body) }

    func json() throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(body.readableBytesView)) as? [String: Any])
    }
}
