import Hummingbird
import HummingbirdTesting
import QueryService
import Testing

@Suite("GET /v1/partitions")
struct PartitionsRouteTests {
    @Test("tells what each partition is at, with null for what is not known")
    func fields() async throws {
        let restoring = PartitionsDocument.Payloads(
            state: .restoring,
            owner: "tracker-0",
            url: "http://tracker-0:8080",
            offsets: .init(partition: 0, position: 40, endOffset: 100),
            restoreRemaining: 7,
            payloads: nil
        )
        let document = PartitionsDocument(
            data: [restoring],
            input: [.init(partition: 0, position: 5, endOffset: 3), .init(partition: 1, position: nil, endOffset: 3)]
        )
        let endpoint = Endpoint(partitions: StubPartitions(document: document))
        let fields = try await endpoint.ask("/v1/partitions?local=true").json()
        let partition = try #require((fields["data"] as? [[String: Any]])?.first)
        #expect(
            partition.keys.sorted() == [
                "end_offset", "lag", "owner", "partition", "payloads", "position", "restore_remaining", "standbys",
                "state", "url",
            ]
        )
        #expect(partition["state"] as? String == "restoring")
        #expect(partition["lag"] as? Int == 60)
        #expect(partition["restore_remaining"] as? Int == 7)
        let input = try #require(fields["input"] as? [[String: Any]])
        #expect(input[0]["lag"] as? Int == 0)
        #expect(input[1].keys.sorted() == ["end_offset", "lag", "partition", "position"])
        #expect(input[1]["lag"] as? Int == nil)
    }

    @Test("refuses parameters that are none of its own")
    func parameters() async throws {
        let detail = try await Endpoint().problem("/v1/partitions?limit=3", is: .badRequest)
        #expect(detail.contains("limit"))
    }
}
