import Hummingbird
import HummingbirdTesting
import PayloadModel
import QueryService
import Testing

@Suite("GET /v1/payloads/{id}/statuses")
struct StatusesRouteTests {
    @Test("shows the history, newest first")
    func history() async throws {
        let response = try await Endpoint().ask("/v1/payloads/abc/statuses")
        #expect(response.status == .ok)
        let data = try #require(try response.json()["data"] as? [[String: Any]])
        #expect(data.map { $0["service"] as? String } == ["puptoo", "ingress"])
        #expect(data[0].keys.sorted() == ["date", "raw_status", "service", "source", "status", "status_msg"])
        #expect(data[0]["raw_status"] as? String == "error")
        #expect(response.text.contains("\"source\":null"))
    }

    @Test("gives the newest N for limit=N", arguments: [("1", 1), ("2", 2), ("100000", 2), ("001", 1)])
    func limit(_ limit: String, _ count: Int) async throws {
        let fields = try await Endpoint().ask("/v1/payloads/abc/statuses?limit=\(limit)").json()
        let data = try #require(fields["data"] as? [[String: Any]])
        #expect(data.count == count)
        #expect(data.first?["service"] as? String == "puptoo")
    }

    @Test(
        "refuses a limit that is none, and names it",
        arguments: ["0", "-1", "x", "1.5", "", "1000001", "99999999999999999999", "1%20", "+1", "%D9%A1"]
    )
    func wrongLimit(_ limit: String) async throws {
        let detail = try await Endpoint().problem("/v1/payloads/abc/statuses?limit=\(limit)", is: .badRequest)
        #expect(detail.hasPrefix("limit is "))
    }
}
