import Foundation
import Testing

@testable import PayloadTracker

/// What someone at a terminal relies on: the outcome and its reason first, the services in order, and no tricks.
@Suite struct PayloadTimelineTests {
    @Test("the outcome and the reason come first, then the services in the order in which they began")
    func layout() throws {
        let text = try PayloadTimeline(Self.document()).text(Terminal(hasColor: false, width: nil))
        #expect(
            text
                == """
                3f6c  failed
                  status     failure, revision 2
                  reason     puptoo failure (error): Why
                  account    1234567
                  org        89
                  inventory  h1, h2
                  started    2024-01-02T03:04:05.000000Z, took 1.600 s
                  from       partition 3, http://10.0.0.5:8080

                  ingress                            0.000 s   0.180 s  ███·····················  success          Sent
                  puptoo                             0.240 s   0.960 s  ···██████████████·······  failure (error)  Why
                  storage-broker (insights-client)   1.600 s   0.000 s  ·······················█  success

                """
        )
    }

    @Test("nothing that a producer writes reaches the terminal as a control", arguments: [nil, 60])
    func hostile(width: Int?) throws {
        let attack = "\\u001b[2J\\u001b]0;owned\\u0007\\u009b31m\\r\\n\\u202eevil\\u2028"
        let json = Self.document(message: attack, service: "pup\\u001btoo", account: "\\u001b[1m")
        let text = try PayloadTimeline(json).text(Terminal(hasColor: false, width: width))
        let isHarmless = text.unicodeScalars.allSatisfy { scalar in
            scalar == "\n" || ![.control, .format, .lineSeparator].contains(scalar.properties.generalCategory)
        }
        #expect(isHarmless)
        #expect(text.contains("\\u{1b}"))
        #expect(text.split(separator: "\n").count == 11)
    }

    @Test("colours are used only where they are wanted, and lines are cut only where they would wrap")
    func terminal() throws {
        let timeline = try PayloadTimeline(Self.document(message: String(repeating: "long ", count: 100)))
        let file = timeline.text(Terminal(hasColor: false, width: nil))
        #expect(!file.contains("\u{1B}"))
        #expect(file.contains(String(repeating: "long ", count: 99)))
        let narrow = timeline.text(Terminal(hasColor: false, width: 70)).split(separator: "\n")
        #expect(narrow.allSatisfy { $0.count <= 70 })
        #expect(timeline.text(Terminal(hasColor: true, width: nil)).contains("\u{1B}[31mfailed\u{1B}[0m"))
        let painted = timeline.text(Terminal(hasColor: true, width: 70)).split(separator: "\n")
            .map { String($0).replacing(#/\x1B\[[0-9]+m/#, with: "") }
        #expect(painted == narrow.map(String.init))
    }

    @Test("a payload without stages, and an answer that is no payload, do not crash")
    func odd() throws {
        let empty = """
            {"payload_id": "a", "status": "received", "outcome": "open", "revision": 0, "failed_stages": [],
             "recovered_failures": [], "missing_services": ["puptoo"], "stages": [], "inventory_ids": [],
             "system_ids": [], "truncated": []}
            """
        let text = try PayloadTimeline(Data(empty.utf8)).text(Terminal(hasColor: false, width: nil))
        #expect(text.hasPrefix("a  open\n"))
        #expect(text.contains("missing    puptoo"))
        #expect(throws: CommandFailure.self) { try PayloadTimeline(Data("<html>".utf8)) }
    }

    private static func document(
        message: String = "Why",
        service: String = "puptoo",
        account: String = "1234567"
    ) -> Data {
        let reason = """
            {"service": "\(service)", "source": null, "status": "failure", "raw_status": "error",
             "status_msg": "\(message)", "date": "2024-01-02T03:04:06.200000Z"}
            """
        return Data(
            """
            {"payload_id": "3f6c", "status": "failure", "outcome": "failed", "revision": 2, "reason": \(reason),
             "failed_stages": [\(reason)], "recovered_failures": [], "missing_services": [], "stages": [
              {"service": "\(service)", "source": null, "status": "failure", "raw_status": "error",
               "status_msg": "\(message)", "first_date": "2024-01-02T03:04:05.240000Z",
               "last_date": "2024-01-02T03:04:06.200000Z", "duration_ms": 960, "entries": 2, "handed_over": false},
              {"service": "storage-broker", "source": "insights-client", "status": "success", "raw_status": "success",
               "status_msg": null, "first_date": "2024-01-02T03:04:06.600000Z",
               "last_date": "2024-01-02T03:04:06.600000Z", "duration_ms": 0, "entries": 1, "handed_over": false},
              {"service": "ingress", "source": null, "status": "success", "raw_status": "success",
               "status_msg": "Sent", "first_date": "2024-01-02T03:04:05.000000Z",
               "last_date": "2024-01-02T03:04:05.180000Z", "duration_ms": 180, "entries": 2, "handed_over": false}],
             "account": "\(account)", "org_id": "89", "inventory_ids": ["h1", "h2"], "system_ids": [],
             "started_at": "2024-01-02T03:04:05.000000Z", "updated_at": "2024-01-02T03:04:06.600000Z",
             "duration_ms": 1600, "partition": 3, "served_by": "http://10.0.0.5:8080", "truncated": []}
            """.utf8
        )
    }
}
