import HTTPTypes
import Hummingbird
import HummingbirdTesting
import PayloadModel
import QueryService
import Testing

@Suite("GET /v1/payloads/{id}")
struct PayloadRouteTests {
    static let id = "3f6c0a7e1b2d4c5e8f90a1b2c3d4e5f6"

    @Test("shows the whole payload and who answered in one object, with nulls where nothing is known")
    func document() async throws {
        let response = try await Endpoint().ask("/v1/payloads/\(PayloadRouteTests.id)")
        #expect(response.status == .ok)
        #expect(response.headers[.contentType] == "application/json; charset=utf-8")
        let fields = try response.json()
        #expect(
            fields.keys.sorted() == [
                "account", "duration_ms", "failed_stages", "inventory_ids", "missing_services", "org_id", "outcome",
                "partition", "payload_id", "reason", "recovered_failures", "revision", "served_by", "stages",
                "started_at", "status", "system_ids", "truncated", "updated_at",
            ]
        )
        #expect(fields["payload_id"] as? String == PayloadRouteTests.id)
        #expect(fields["outcome"] as? String == "failed")
        #expect(fields["partition"] as? Int == 3)
        #expect(fields["served_by"] as? String == "http://tracker-0:8080")
        #expect(response.text.contains("\"org_id\":null"))
    }

    @Test(
        "finds a payload whose id is written in another form",
        arguments: [
            "3F6C0A7E1B2D4C5E8F90A1B2C3D4E5F6", "3f6c0a7e-1b2d-4c5e-8f90-a1b2c3d4e5f6",
            "%7B3F6C0A7E-1B2D-4C5E-8F90-A1B2C3D4E5F6%7D", "%203f6c0a7e1b2d4c5e8f90a1b2c3d4e5f6%20",
            "%33f6c0a7e1b2d4c5e8f90a1b2c3d4e5f6",
        ]
    )
    func forms(_ form: String) async throws {
        let fields = try await Endpoint().ask("/v1/payloads/\(form)").json()
        #expect(fields["payload_id"] as? String == PayloadRouteTests.id)
    }

    @Test(
        "reads an id as it was encoded: slashes belong to it, and it is decoded once",
        arguments: [
            ("a%2Fb", "a/b"), ("a%252Fb", "a%2Fb"), ("%2F..%2Fhealthz", "/../healthz"), ("caf%C3%A9", "café"),
            ("a+b", "a+b"),
        ]
    )
    func decoding(_ encoded: String, _ id: String) async throws {
        let fields = try await Endpoint().ask("/v1/payloads/\(encoded)").json()
        #expect(fields["payload_id"] as? String == id)
    }

    @Test(
        "refuses an id that no payload can have, and says which",
        arguments: [
            ("None", "None"), ("NULL", "NULL"), ("-1", "-1"), ("", "empty"), ("%20", "empty"), ("x%20%2", "x%20%2"),
            ("%zz", "%zz"), ("%C3", "%C3"),
        ]
    )
    func refusedID(_ encoded: String, _ named: String) async throws {
        for path in ["/v1/payloads/\(encoded)", "/v1/payloads/\(encoded)/statuses"] {
            let detail = try await Endpoint().problem(path, is: .badRequest)
            #expect(detail.contains("id") && detail.contains(named))
        }
    }

    @Test("refuses an id of 257 bytes and takes one of 256")
    func longestID() async throws {
        let longest = String(repeating: "x", count: 256)
        #expect(try await Endpoint().ask("/v1/payloads/\(longest)").status == .ok)
        #expect(try await Endpoint().problem("/v1/payloads/\(longest)x", is: .badRequest).contains("256"))
    }

    @Test("says that a payload is unknown, rather than show an empty one")
    func unknown() async throws {
        let endpoint = Endpoint(reader: StubReader { _, _ in nil })
        #expect(try await endpoint.problem("/v1/payloads/abc", is: .notFound).contains("abc"))
        #expect(try await endpoint.problem("/v1/payloads/abc/statuses", is: .notFound).contains("abc"))
    }

    @Test(
        "tells a client to come back when nobody owns the partition, and why",
        arguments: ["", "/statuses", "?wait=1s"]
    )
    func noOwner(_ rest: String) async throws {
        let endpoint = Endpoint(
            reader: StubReader { (_, _) throws(ReadFailure) in
                throw .noOwner(partition: 3, reason: "partition 3 is being restored", retryAfterSeconds: 2)
            }
        )
        let detail = try await endpoint.problem("/v1/payloads/abc\(rest)", is: .serviceUnavailable)
        #expect(detail == "partition 3 is being restored")
        #expect(try await endpoint.ask("/v1/payloads/abc\(rest)").headers[.retryAfter] == "2")
    }

    @Test("does not tell the outside what broke inside", arguments: ["", "/statuses"])
    func brokenStore(_ rest: String) async throws {
        let endpoint = Endpoint(
            reader: StubReader { (_, _) throws(ReadFailure) in throw .store("/var/state/0_3 is corrupt") }
        )
        let detail = try await endpoint.problem("/v1/payloads/abc\(rest)", is: .internalServerError)
        #expect(!detail.contains("corrupt") && !detail.contains("/var"))
    }

    @Test("takes the contract's ways to choose an instance, and no others")
    func instanceChoice() async throws {
        let endpoint = Endpoint()
        #expect(try await endpoint.ask("/v1/payloads/abc?local=true&stale=allowed").status == .ok)
        #expect(try await endpoint.problem("/v1/payloads/abc?local=yes", is: .badRequest).contains("local"))
        #expect(try await endpoint.problem("/v1/payloads/abc/statuses?stale=true", is: .badRequest).contains("stale"))
    }
}
