import HTTPTypes
import Hummingbird
import HummingbirdTesting
import QueryService
import Testing

@Suite("Probes and /metrics")
struct ProbeTests {
    @Test("a healthy process is left alone")
    func healthy() async throws {
        let response = try await Endpoint().ask("/healthz")
        #expect(response.status == .ok)
        #expect(response.text == #"{"status":"ok"}"#)
        #expect(try await Endpoint().ask("/healthz?verbose").status == .ok)
    }

    @Test("a process that has stopped is seen, and why")
    func failing() async throws {
        let health = StubHealth(health: HealthReport(healthy: false, problems: ["stream thread 1 has died"]))
        let response = try await Endpoint(health: health).ask("/healthz")
        #expect(response.status == .serviceUnavailable)
        #expect(response.headers[.contentType] == "application/problem+json")
        #expect(response.text.contains(#""problems":["stream thread 1 has died"]"#))
        #expect(response.text.contains(#""detail":"stream thread 1 has died""#))
    }

    @Test("a restored worker gets traffic")
    func ready() async throws {
        let response = try await Endpoint().ask("/readyz")
        #expect(response.status == .ok)
        #expect(response.text == #"{"status":"ready"}"#)
    }

    @Test("a worker that still restores gets no traffic, and says what it waits for")
    func notReady() async throws {
        let health = StubHealth(readiness: ReadinessReport(ready: false, waitingFor: ["partition 3"]))
        let response = try await Endpoint(health: health).ask("/readyz")
        #expect(response.status == .serviceUnavailable)
        #expect(response.text.contains(#""waiting_for":["partition 3"]"#))
        #expect(response.headers[.retryAfter] == "5")
    }

    @Test("Prometheus gets the type that it needs to read the text")
    func contentType() async throws {
        let response = try await Endpoint().ask("/metrics")
        #expect(response.status == .ok)
        #expect(response.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
    }
}
