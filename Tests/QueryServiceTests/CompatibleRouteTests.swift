import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import PayloadModel
import QueryService
import Testing

/// What payload-tracker-go's clients rely on, and its front-end shows.
@Suite("/api/v1", .timeLimit(.minutes(1)))
struct CompatibleRouteTests {
    /// The nth second after 1970 is its last date; it began a minute before, in reverse order.
    private static func upload(_ number: Int) throws -> PayloadState {
        let last = Timestamp(microseconds: Int64(1_000 + number) * 1_000_000)
        let first = Timestamp(microseconds: Int64(900 - number) * 1_000_000)
        let received = StatusEntry(date: first, status: .received, rawStatus: "received")
        let failed = StatusEntry(date: last, status: .failure, rawStatus: "error", message: Text("no \(number)"))
        let stages = [
            Stage(service: "ingress", source: nil, entries: [received], firstDate: first, lastDate: first),
            Stage(service: "puptoo", source: "inventory", entries: [failed], firstDate: first, lastDate: last),
        ]
        return PayloadState(
            id: try PayloadID(normalizing: "upload-\(number)"),
            stages: stages.compactMap { $0 },
            attributes: Attributes(account: LatestText(text: Text("\(number % 3)"), date: last)),
            trimmedThrough: nil,
            outcome: .failed,
            revision: 1,
            changedAt: last
        )
    }

    private func endpoint(_ count: Int, missing: [Int32] = []) throws -> Endpoint {
        let uploads = try (0..<count).map(Self.upload)
        let byID = Dictionary(uniqueKeysWithValues: uploads.map { ($0.id, $0) })
        return Endpoint(reader: StubReader { id, _ in byID[id] }, lists: StubLists(uploads, missing: missing))
    }

    private func rows(_ endpoint: Endpoint, _ target: String) async throws -> [[String: Any]] {
        let response = try await endpoint.ask(target)
        #expect(response.status == .ok, "\(target): \(response.text)")
        return try #require(try response.json()["data"] as? [[String: Any]])
    }

    private func ids(_ rows: [[String: Any]]) -> [String] { rows.compactMap { $0["request_id"] as? String } }

    @Test("a list has the fields, the default page and the true count")
    func payloads() async throws {
        let endpoint = try endpoint(25)
        let fields = try await endpoint.ask("/api/v1/payloads").json()
        #expect(fields.keys.sorted() == ["count", "data", "elapsed"])
        #expect(fields["count"] as? Int == 25)
        let rows = try #require(fields["data"] as? [[String: Any]])
        #expect(ids(rows) == (0..<10).map { "upload-\($0)" }, "newest first by the first date")
        let names = ["account", "created_at", "id", "inventory_id", "org_id", "request_id", "system_id"]
        #expect(rows[0].keys.sorted() == names)
        #expect(rows[0]["created_at"] as? String == "1970-01-01T00:15:00.000000Z")
        #expect(rows[0]["account"] as? String == "0" && rows[0]["org_id"] is NSNull)
    }

    @Test("lists are paged by number and sorted as they are asked to, over all pages of our own list")
    func paging() async throws {
        let endpoint = try endpoint(640)
        let second = try await rows(endpoint, "/api/v1/payloads?page=1&page_size=4&sort_dir=asc&sort_by=created_at")
        #expect(ids(second) == (0..<4).map { "upload-\(635 - $0)" })
        let sorted = try await rows(endpoint, "/api/v1/payloads?page_size=1000&sort_by=account&sort_dir=desc")
        #expect(sorted.compactMap { $0["account"] as? String } == (0..<640).map { "\($0 % 3)" }.sorted(by: >))
        #expect(try await rows(endpoint, "/api/v1/payloads?page=90&page_size=10").isEmpty)
        let message = try await problem(endpoint, "/api/v1/payloads?page=100&page_size=10", .badRequest)
        #expect(message.contains("/v1/payloads"))
    }

    @Test("dates bound the list exactly; parameters that are unknown or empty do not matter")
    func dates() async throws {
        let endpoint = try endpoint(20)
        let range = "created_at_gt=1970-01-01T00:14:50Z&created_at_lte=1970-01-01T00:14:53%2B00:00"
        #expect(
            ids(try await rows(endpoint, "/api/v1/payloads?\(range)&account=&x=y")) == (7...9).map { "upload-\($0)" }
        )
        let edges = "created_at_gte=1970-01-01T00:14:50Z&created_at_lt=1970-01-01T00:14:53Z"
        #expect(ids(try await rows(endpoint, "/api/v1/payloads?\(edges)")) == (8...10).map { "upload-\($0)" })
    }

    @Test("filters reach our own list")
    func filters() async throws {
        let endpoint = try endpoint(1)
        _ = try await rows(endpoint, "/api/v1/payloads?account=a%20b&inventory_id=i&org_id=o&system_id=s")
        let filter = try #require(endpoint.lists.requests.first?.filter)
        #expect(filter.account == "a b" && filter.inventoryID == "i" && filter.orgID == "o" && filter.systemID == "s")
    }

    @Test("a payload's statuses come newest first, with the words that were sent and the time that services took")
    func payload() async throws {
        let endpoint = try endpoint(3)
        let fields = try await endpoint.ask("/api/v1/payloads/upload-1").json()
        let rows = try #require(fields["data"] as? [[String: Any]])
        #expect(rows.map { $0["status"] as? String } == ["error", "received"])
        let names = [
            "account", "created_at", "date", "id", "inventory_id", "org_id", "request_id", "service", "source",
            "status",
            "status_msg", "system_id",
        ]
        #expect(rows[0].keys.sorted() == names)
        #expect(rows[0]["account"] as? String == "1" && rows[0]["status_msg"] as? String == "no 1")
        #expect(Set(rows.compactMap { $0["id"] as? String }).count == 2)
        let durations = [
            "ingress:undefined": "00:00:00.000000", "puptoo:inventory": "00:01:42.000000",
            "total_time_in_services": "00:01:42.000000", "total_time": "00:01:42.000000",
        ]
        #expect(fields["duration"] as? [String: String] == durations)
        let brief = try await self.rows(endpoint, "/api/v1/payloads/upload-1?verbosity=2&sort_dir=asc&sort_by=service")
        #expect(brief.map { $0.keys.sorted() } == [["date", "service", "status"], ["date", "service", "status"]])
        #expect(brief.first?["service"] as? String == "ingress")
        #expect(try await problem(endpoint, "/api/v1/payloads/nobody", .notFound).contains("nobody"))
    }

    @Test("statuses of all payloads come newest first, each once over the pages")
    func statuses() async throws {
        let endpoint = try endpoint(30)
        var dates: [String] = []
        for page in 0..<6 {
            let rows = try await rows(endpoint, "/api/v1/statuses?page_size=10&page=\(page)")
            #expect(rows.count == 10)
            dates += rows.compactMap { $0["date"] as? String }
        }
        #expect(dates == dates.sorted(by: >) && dates.count == 60)
        #expect(try await endpoint.ask("/api/v1/statuses?page_size=100").json()["count"] as? Int == 60)
        let small = try await rows(endpoint, "/api/v1/statuses?page_size=3")
        #expect(small.compactMap { $0["status_msg"] as? String } == ["no 29", "no 28", "no 27"])
        #expect(endpoint.lists.requests.last?.limit == 3, "a plain page looks at as many payloads as it shows statuses")
    }

    @Test("statuses are found by what they say")
    func statusFilters() async throws {
        let endpoint = try endpoint(30)
        let one = try await rows(
            endpoint,
            "/api/v1/statuses?status=error&status_msg=no%2012&service=puptoo&source=inventory"
        )
        #expect(ids(one) == ["upload-12"])
        #expect(endpoint.lists.requests.last?.filter.service == "puptoo")
        let asSent = try await rows(
            endpoint,
            "/api/v1/statuses?status=Error&status_msg=no+12&service=Puptoo&source=INVENTORY"
        )
        #expect(ids(asSent) == ["upload-12"])
        let early = try await rows(endpoint, "/api/v1/statuses?date_lt=1970-01-01T00:15:00Z&sort_dir=asc&page_size=2")
        #expect(ids(early) == ["upload-29", "upload-28"])
    }

    private func problem(
        _ endpoint: Endpoint,
        _ target: String,
        _ status: HTTPResponse.Status
    ) async throws -> String {
        let response = try await endpoint.ask(target)
        #expect(response.status == status)
        let fields = try response.json()
        #expect(fields.keys.sorted() == ["message", "status", "title"])
        #expect(fields["status"] as? Int == status.code)
        return try #require(fields["message"] as? String)
    }

    @Test(
        "mistakes are told in the form that its clients know",
        arguments: [
            "payloads?page=-1", "payloads?page=", "payloads?page_size=0", "payloads?sort_by=date",
            "payloads?created_at_lt=now",
            "payloads?account=None", "payloads/a?verbosity=3", "payloads/a?sort_dir=up", "payloads/None",
            "statuses?page_size=101", "statuses?sort_by=id", "statuses?date_gt=soon",
        ]
    )
    func mistakes(target: String) async throws {
        #expect(try await !problem(try endpoint(1), "/api/v1/\(target)", .badRequest).isEmpty)
    }

    @Test("a list that lacks a partition is told as unavailable")
    func unavailable() async throws {
        let endpoint = try endpoint(1, missing: [4])
        #expect(try await problem(endpoint, "/api/v1/payloads", .serviceUnavailable).contains("partition 4"))
    }
}
