import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import PayloadModel
import QueryService
import ServiceLifecycle
import Testing

@Suite("The server on a socket", .timeLimit(.minutes(1)))
struct QueryServerTests {
    @Test("listens on a free port, says which, and answers there")
    func answers() async throws {
        try await withServer { port, _ in
            try await TestClient.withClient(host: "127.0.0.1", port: port) { client in
                #expect(try await client.get("/v1/payloads/abc").status == .ok)
                let get = try await client.get("/healthz")
                let head = try await client.head("/healthz")
                #expect(head.status == .ok)
                #expect(head.headers[.contentLength] == get.headers[.contentLength])
                let options = try await client.execute(.init("/", method: .options, headers: [:]))
                #expect(options.status == .noContent)
                #expect(options.headers[.contentLength] == nil)
            }
        }
    }

    @Test("refuses a header without end, rather than read it into memory")
    func longHeader() async throws {
        try await withServer { port, _ in
            try await TestClient.withClient(host: "127.0.0.1", port: port) { client in
                let long = String(repeating: "x", count: 20 << 10)
                let response = try await client.get("/healthz", headers: [.cookie: long])
                #expect(response.status == .badRequest)
            }
        }
    }

    @Test("answers those who wait when it is shut down, so that a deployment is not held up for a minute")
    func shutdownEndsWaits() async throws {
        let reader = StubReader { id, _ in .failedUpload(id, outcome: .open) }
        try await withServer(reader) { port, services in
            try await TestClient.withClient(host: "127.0.0.1", port: port) { client in
                async let answer = client.get("/v1/payloads/abc?wait=60s")
                try await until { reader.callCount > 0 }
                await services.triggerGracefulShutdown()
                let response = try await answer
                #expect(response.status == .ok)
                // One look before the wait, one after it.
                #expect(reader.callCount <= 2)
            }
        }
    }

    @Test("ends the streams of those who listen when it is shut down")
    func shutdownEndsStreams() async throws {
        let outcomes = StubOutcomes([[.failed(0, 5)]], isEndless: true)
        try await withServer(outcomes: outcomes) { port, services in
            try await TestClient.withClient(host: "127.0.0.1", port: port) { client in
                async let answer = client.get("/v1/outcomes/stream")
                try await until { !outcomes.wishedPositions.isEmpty }
                await services.triggerGracefulShutdown()
                let response = try await answer
                #expect(response.status == .ok)
                #expect(response.body.map { String(buffer: $0) }?.hasPrefix("retry: ") == true)
            }
        }
    }

    @Test("says in one line where it cannot listen", arguments: ["127.0.0.1", "192.0.2.1"])
    func cannotListen(_ host: String) async throws {
        try await withServer { port, _ in
            let second = QueryServerTests.server(host: host, port: port) { _ in }
            let error = await #expect(throws: EndpointError.self) { try await second.run() }
            let line = try #require(error).description
            #expect(line.contains("\(host):\(port)") && line.contains("http.port") && !line.contains("\n"))
        }
    }

    private func withServer(
        _ reader: any PayloadReader = StubReader { id, _ in .failedUpload(id) },
        outcomes: any OutcomeSource = StubOutcomes(),
        _ body: (_ port: Int, _ services: ServiceGroup) async throws -> Void
    ) async throws {
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let server = QueryServerTests.server(reader, outcomes: outcomes, host: "127.0.0.1", port: 0) {
            listening.yield($0)
        }
        let services = ServiceGroup(services: [server], logger: QueryServerTests.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { listening.finish() }
                try await services.run()
            }
            let port = try #require(await ports.first { _ in true })
            try await body(port, services)
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
        }
    }

    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func server(
        _ reader: any PayloadReader = StubReader { _, _ in nil },
        outcomes: any OutcomeSource = StubOutcomes(),
        host: String,
        port: Int,
        onServerRunning: @escaping @Sendable (Int) async -> Void
    ) -> QueryServer {
        QueryServer(
            configuration: .init(host: host, port: port),
            reader: reader,
            lists: StubLists(),
            summary: StubSummary(),
            watcher: StubWatcher(),
            partitions: StubPartitions(),
            outcomes: outcomes,
            health: StubHealth(),
            metrics: PrometheusMetrics(),
            logger: logger,
            onServerRunning: onServerRunning
        )
    }
}
