import Foundation
import Hummingbird
import HummingbirdTesting
import PayloadModel
import QueryService
import Testing

@Suite("GET /v1/payloads")
struct ListRouteTests {
    private static func uploads(_ count: Int) throws -> [PayloadState] {
        try (0..<count).map { .failedUpload(try PayloadID(normalizing: "upload-\($0)")) }
    }

    @Test("shows payloads as they are shown alone, but for their stages")
    func fields() async throws {
        let endpoint = Endpoint(lists: StubLists(try ListRouteTests.uploads(1)))
        let answer = try await endpoint.ask("/v1/payloads")
        #expect(answer.status == .ok)
        let fields = try answer.json()
        #expect(fields.keys.sorted() == ["data", "next_cursor"])
        #expect(answer.text.contains("\"next_cursor\":null"))
        let listed = try #require((fields["data"] as? [[String: Any]])?.first)
        let alone = try await endpoint.ask("/v1/payloads/upload-0").json()
        #expect(Set(listed.keys) == Set(alone.keys).subtracting(["stages"]))
        #expect(listed["payload_id"] as? String == "upload-0")
    }

    @Test("asks for what the query says, 50 at once unless it says otherwise")
    func request() async throws {
        let lists = StubLists()
        let endpoint = Endpoint(lists: lists)
        _ = try await endpoint.ask("/v1/payloads")
        _ = try await endpoint.ask(
            "/v1/payloads?service=PupToo&failed_service=x&status=failure&outcome=failed&account=1&org_id=2"
                + "&inventory_id=3&system_id=4&since=2024-01-02T03:04:05%2B02:00&until=1704164645&limit=500&local=true"
        )
        let first = PageRequest(filter: PayloadFilter(), start: nil, limit: 50)
        var filter = PayloadFilter()
        filter.service = "puptoo"
        filter.failedService = "x"
        filter.status = .failure
        filter.outcome = .failed
        filter.account = "1"
        filter.orgID = "2"
        filter.inventoryID = "3"
        filter.systemID = "4"
        filter.since = Timestamp(microseconds: 1_704_157_445_000_000)
        filter.until = Timestamp(microseconds: 1_704_164_645_000_000)
        #expect(lists.requests == [first, PageRequest(filter: filter, start: nil, limit: 500)])
    }

    @Test("takes a plus for a space, as browsers and most clients write it, and for a plus in a date")
    func plus() async throws {
        let lists = StubLists()
        _ = try await Endpoint(lists: lists).ask(
            "/v1/payloads?service=my+service&account=a%2Bb+c&since=2024-01-02T03:04:05+02:00&until=2024-01-02+03:04:05+00:00"
        )
        var filter = PayloadFilter()
        filter.service = "my service"
        filter.account = "a+b c"
        filter.since = Timestamp(microseconds: 1_704_157_445_000_000)
        filter.until = Timestamp(microseconds: 1_704_164_645_000_000)
        #expect(lists.requests.map(\.filter) == [filter])
    }

    @Test("leads from page to page until all has been shown once")
    func paging() async throws {
        let endpoint = Endpoint(lists: StubLists(try ListRouteTests.uploads(25)))
        var seen: [String] = []
        var cursor: String?
        repeat {
            let next = cursor.map { "&cursor=\($0)" } ?? ""
            let fields = try await endpoint.ask("/v1/payloads?limit=4&account=540155\(next)").json()
            seen += (fields["data"] as? [[String: Any]] ?? []).compactMap { $0["payload_id"] as? String }
            cursor = fields["next_cursor"] as? String
        } while cursor != nil
        #expect(seen == (0..<25).map { "upload-\($0)" }.sorted())
    }

    @Test(
        "refuses what is wrong or out of range, and names it",
        arguments: [
            "limit=0", "limit=501", "limit=-1", "limit=x", "limit=", "status=done", "outcome=success",
            "since=yesterday",
            "until=x", "account=", "org_id=None", "inventory_id=%20", "system_id=null", "service=",
            "failed_service=%20",
            "cursor=", "cursor=x", "cursor=AAAA", "cursor=%00", "local=yes", "stale=true",
        ]
    )
    func refused(_ query: String) async throws {
        let detail = try await Endpoint().problem("/v1/payloads?\(query)", is: .badRequest)
        #expect(detail.contains(try #require(query.split(separator: "=").first)))
    }

    @Test("refuses a time that ends before it begins")
    func order() async throws {
        let detail = try await Endpoint().problem("/v1/payloads?since=11&until=10", is: .badRequest)
        #expect(detail.contains("since") && detail.contains("until"))
    }

    @Test("refuses a cursor that was altered, or that another question was answered with")
    func foreignCursor() async throws {
        let endpoint = Endpoint(lists: StubLists(try ListRouteTests.uploads(3)))
        let fields = try await endpoint.ask("/v1/payloads?limit=1&account=540155").json()
        let cursor = try #require(fields["next_cursor"] as? String)
        #expect(try await endpoint.ask("/v1/payloads?limit=2&account=540155&cursor=\(cursor)").status == .ok)
        let altered = String(cursor.dropFirst(5)) + cursor.prefix(5)
        for query in ["cursor=\(cursor)", "account=540156&cursor=\(cursor)", "account=540155&cursor=\(altered)"] {
            #expect(try await endpoint.problem("/v1/payloads?limit=1&\(query)", is: .badRequest).contains("cursor"))
        }
        for end in 0..<cursor.count {
            let cut = cursor.prefix(end)
            _ = try await endpoint.problem("/v1/payloads?account=540155&cursor=\(cut)", is: .badRequest)
        }
    }

    @Test("a cursor is good for any id and any date, and for one question")
    func cursors() throws {
        var filter = PayloadFilter()
        filter.service = "a"
        for id in ["x", "3f6c0a7e1b2d4c5e8f90a1b2c3d4e5f6", String(repeating: "\u{E9}", count: 128)] {
            for microseconds in [Int64.min / 4, -1, 0, 1_704_164_645_678_901] {
                let position = ListPosition(
                    updatedAt: Timestamp(microseconds: microseconds),
                    id: try PayloadID(normalizing: id)
                )
                let cursor = PageCursor.encode(position, filter)
                #expect(cursor.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
                #expect(PageCursor.decode(cursor, filter) == position)
                #expect(PageCursor.decode(cursor, PayloadFilter()) == nil)
            }
        }
    }

    @Test("tells a client to come back when a partition has no owner that could answer")
    func noOwner() async throws {
        let failure = ReadFailure.noOwner(partition: 3, reason: "partition 3 is being restored", retryAfterSeconds: 2)
        let endpoint = Endpoint(lists: StubLists(failure: failure))
        let detail = try await endpoint.problem("/v1/payloads", is: .serviceUnavailable)
        #expect(detail == "partition 3 is being restored")
    }
}
