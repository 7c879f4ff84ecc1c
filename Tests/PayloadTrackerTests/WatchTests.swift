import Foundation
import Testing

@testable import PayloadTracker

/// What a person and a script see of the stream.
@Suite struct WatchTests {
    @Test("events come whole, however the stream is cut", arguments: [1, 3, 7, 1_000])
    func parsing(size: Int) {
        let stream = Array(
            "retry: 2000\nid: 0.1\n\n:\n\nid: 0.2\nevent: payload-failed\ndata: {\"a\":1}\n\nid: 0.3\ndata: {}\n\nid: 9"
                .utf8
        )
        var parser = EventStreamParser()
        var events: [String] = []
        for start in stride(from: 0, to: stream.count, by: size) {
            events += parser.append(Array(stream[start..<min(start + size, stream.count)])).map {
                String(decoding: $0, as: UTF8.self)
            }
        }
        #expect(events == [#"{"a":1}"#, "{}"])
        #expect(parser.lastID == "0.3")
        var next = parser.resumed
        #expect(next.lastID == "0.3")
        #expect(next.append(Array("data: 1\n\n".utf8)).count == 1 && next.lastID == "0.3")
    }

    @Test("a line says when, what, which and why, and nothing that a producer wrote reaches the terminal as a control")
    func line() throws {
        let plain = Terminal(hasColor: false, width: nil)
        let line = try #require(OutcomeLine(Self.event(message: "no\\u001b[2J facts"))).text(plain)
        #expect(line == "15:04:05  failed     3f6c  puptoo (web) error: no\\u{1b}[2J facts")
        let color = try #require(OutcomeLine(Self.event(message: "x"))).text(Terminal(hasColor: true, width: 20))
        #expect(color == "15:04:05  \u{1B}[31mfailed\u{1B}[0m   …")
        #expect(OutcomeLine(Array("{}".utf8)) == nil)
    }

    @Test("filters reach the endpoint as they were given")
    func address() throws {
        let endpoint = try PayloadEndpoint("http://host/")
        #expect(endpoint.streamAddress([]) == "http://host/v1/outcomes/stream")
        #expect(
            endpoint.streamAddress([("type", "payload-failed"), ("account", "a&b=c")])
                == "http://host/v1/outcomes/stream?type=payload-failed&account=a%26b%3Dc"
        )
    }

    private static func event(message: String) -> [UInt8] {
        let reason = """
            {"service": "puptoo", "source": "web", "status": "failure", "raw_status": "error", "status_msg": "\(message)",
             "date": "2024-01-02T03:04:06.200000Z"}
            """
        return Array(
            """
            {"type": "payload-failed", "payload_id": "3f6c", "account": null, "reason": \(reason), "missing_services": [],
             "services": ["puptoo"], "duration_ms": 5, "emitted_at": "2024-01-02T15:04:05.000000Z"}
            """.utf8
        )
    }
}
