import Hummingbird
import HummingbirdTesting
import PayloadModel
import QueryService
import Testing

@Suite("GET /v1/payloads/{id}?wait=")
struct WaitTests {
    @Test("answers once the outcome is decided, so that a script need not poll")
    func decided() async throws {
        let reader = StubReader { id, call in .failedUpload(id, outcome: call < 3 ? .open : .failed) }
        let endpoint = Endpoint(reader: reader, watcher: StubWatcher(changes: 1))
        let fields = try await endpoint.ask("/v1/payloads/abc?wait=60s").json()
        #expect(fields["outcome"] as? String == "failed")
        #expect(reader.callCount == 3)
    }

    @Test("waits for a payload that nobody has heard of yet: an upload may be asked for before its first message")
    func appears() async throws {
        let reader = StubReader { id, call in call < 3 ? nil : .failedUpload(id) }
        let endpoint = Endpoint(reader: reader, watcher: StubWatcher(changes: 1))
        #expect(try await endpoint.ask("/v1/payloads/abc?wait=60s").status == .ok)
    }

    @Test("shows the open payload when the time is over", arguments: ["1ms", "250ms", "0", "0s"])
    func timeIsOver(_ wait: String) async throws {
        let endpoint = Endpoint(reader: StubReader { id, _ in .failedUpload(id, outcome: .open) })
        let fields = try await endpoint.ask("/v1/payloads/abc?wait=\(wait)").json()
        #expect(fields["outcome"] as? String == "open")
    }

    @Test("says that a payload is unknown when the time is over")
    func staysUnknown() async throws {
        let endpoint = Endpoint(reader: StubReader { _, _ in nil })
        _ = try await endpoint.problem("/v1/payloads/abc?wait=50ms", is: .notFound)
    }

    @Test("looks again in the end, not only before the last step")
    func lastLook() async throws {
        let reader = StubReader { id, _ in .failedUpload(id, outcome: .open) }
        _ = try await Endpoint(reader: reader).ask("/v1/payloads/abc?wait=50ms")
        #expect(reader.callCount >= 2)
    }

    @Test(
        "takes a longer wait than it grants, rather than refuse it",
        arguments: ["61s", "2m", "1h", "7d", "99999999999999999999ms"]
    )
    func longWait(_ wait: String) async throws {
        #expect(try await Endpoint().ask("/v1/payloads/abc?wait=\(wait)").status == .ok)
    }

    @Test(
        "refuses what is no duration, and names it",
        arguments: ["", "x", "5", "s", "-1s", "+1s", "1.5s", "1%20s", "1w", "1S"]
    )
    func nonsense(_ wait: String) async throws {
        let detail = try await Endpoint().problem("/v1/payloads/abc?wait=\(wait)", is: .badRequest)
        #expect(detail.hasPrefix("wait is "))
    }
}
