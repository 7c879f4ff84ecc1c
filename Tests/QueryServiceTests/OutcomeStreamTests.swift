import HTTPTypes
import Hummingbird
import HummingbirdTesting
import QueryService
import Testing

@Suite("GET /v1/outcomes/stream")
struct OutcomeStreamTests {
    private static let path = "/v1/outcomes/stream"

    @Test("each outcome is an event whose id says where to go on, before the first one, too")
    func events() async throws {
        let outcomes = StubOutcomes([[.failed(0, 5), .failed(1, 40)], [.failed(0, 6, type: "payload-completed")]])
        let response = try await Endpoint(outcomes: outcomes).ask(Self.path)
        #expect(response.status == .ok)
        #expect(response.headers[.contentType] == "text/event-stream; charset=utf-8")
        #expect(
            response.text == """
                retry: 2000
                id: 5.0

                id: 6.0
                event: payload-failed
                data: {"at":5}

                id: 6.15
                event: payload-failed
                data: {"at":40}

                id: 7.15
                event: payload-completed
                data: {"at":6}


                """
        )
    }

    @Test("a listener to whom nothing happens hears a comment, and how far the others are, so that it need not go back")
    func signsOfLife() async throws {
        let outcomes = StubOutcomes([[], [.failed(0, 5)], [], []])
        let response = try await Endpoint(outcomes: outcomes).ask("\(Self.path)?account=1")
        #expect(response.text == "retry: 2000\nid: 5.0\n\n:\n\nid: 6.0\n\n:\n\n")
    }

    @Test(
        "filters choose by type, account, service and failed service, alone and together",
        arguments: [
            ("", [1, 2, 3, 4]), ("type=payload-failed", [1, 2]), ("type=payload-completed,payload-stalled", [3, 4]),
            ("account=540155", [1, 3]), ("account=7", [2]), ("service=puptoo", [1, 2]),
            ("service=ingress", [1, 2, 3, 4]),
            ("failed_service=puptoo", [1, 2]), ("failed_service=ingress", []), ("service=PUPTOO", []),
            ("account=7&service=ingress&type=payload-failed", [2]),
        ]
    )
    func filters(_ query: String, _ offsets: [Int]) async throws {
        let outcomes = StubOutcomes([
            [
                .failed(1, 1), .failed(1, 2, account: "7"),
                .failed(1, 3, services: ["ingress"], type: "payload-completed"),
                .failed(1, 4, account: nil, services: ["ingress"], type: "payload-stalled"),
            ]
        ])
        let text = try await Endpoint(outcomes: outcomes).ask("\(Self.path)?\(query)").text
        let shown = text.matches(of: #/data: {"at":(\d+)}/#).compactMap { Int($0.1) }
        #expect(shown == offsets)
    }

    @Test(
        "a filter that can match nothing is refused by its name",
        arguments: ["type=failed", "type=", "type=payload-failed,", "account=", "service=", "failed_service="]
    )
    func badFilter(_ query: String) async throws {
        let name = try #require(query.split(separator: "=").first)
        #expect(try await Endpoint().problem("\(Self.path)?\(query)", is: .badRequest).contains(name))
    }

    @Test("Last-Event-ID goes on where the id says; none, or an empty one, means from now on")
    func resume() async throws {
        let name = try #require(HTTPField.Name("Last-Event-ID"))
        let outcomes = StubOutcomes()
        let endpoint = Endpoint(outcomes: outcomes)
        let text = try await endpoint.ask(Self.path, headers: [name: "1z.0.3"]).text
        #expect(text == "retry: 2000\nid: 1z.0.3\n\n")
        _ = try await endpoint.ask(Self.path, headers: [name: ""])
        #expect(outcomes.wishedPositions == [OutcomePosition(nextOffsets: [71, 0, 3]), nil])
    }

    @Test(
        "an id that this stream never gave is refused: what was missed cannot be known",
        arguments: ["-1", "1..2", "1.", "+1", "1 2", "zzzzzzzzzzzzzz", "A"]
    )
    func brokenID(_ id: String) async throws {
        let name = try #require(HTTPField.Name("Last-Event-ID"))
        let detail = try await Endpoint().problem(Self.path, headers: [name: id], is: .badRequest)
        #expect(detail.contains("Last-Event-ID"))
    }

    @Test("who cannot listen is told why, and when to come again")
    func refused() async throws {
        let busy = StubOutcomes(failure: .unavailable(reason: "too many", retryAfterSeconds: 7))
        #expect(try await Endpoint(outcomes: busy).problem(Self.path, is: .serviceUnavailable) == "too many")
        #expect(try await Endpoint(outcomes: busy).ask(Self.path).headers[.retryAfter] == "7")
        let other = StubOutcomes(failure: .badPosition("of another topic"))
        #expect(try await Endpoint(outcomes: other).problem(Self.path, is: .badRequest).contains("of another topic"))
    }

    @Test("HEAD does not listen")
    func head() async throws {
        let outcomes = StubOutcomes(isEndless: true)
        let response = try await Endpoint(outcomes: outcomes).ask(Self.path, .head)
        #expect(response.status == .ok && outcomes.wishedPositions.isEmpty)
    }

    @Test("positions survive being written and read")
    func positions() {
        for offsets in [[0], [.max, 0, 35, 36], Array(repeating: 1_234_567, count: 500)] as [[Int64]] {
            let position = OutcomePosition(nextOffsets: offsets)
            #expect(OutcomePosition(position.description) == position)
        }
        #expect(OutcomePosition("") == nil)
        var position = OutcomePosition(nextOffsets: [3]).padded(to: 2)
        let advances = [(2, 0), (3, 0), (3, 0), (9, 1), (0, 2), (0, -1)].map { position.advance(past: $0, of: $1) }
        #expect(advances == [false, true, false, true, false, false])
        #expect(position == OutcomePosition(nextOffsets: [4, 10]))
    }
}
