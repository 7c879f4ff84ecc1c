import Foundation
import Testing

@testable import PayloadTracker

/// What `status` and `topics` show a person.
@Suite struct TrackerReportTests {
    private func partition(_ number: Int, _ state: String) -> String {
        let copies = [("tracker-1", 0, true), ("tracker-2", 3, true), ("tracker-3", 9, false)].map {
            #"{"instance":"\#($0.0)","url":null,"position":1,"lag":\#($0.1),"complete":\#($0.2)}"#
        }
        return """
            {"partition":\(number),"state":\(state),"owner":"tracker-0","url":"http://tracker-0:8080","position":5,"end_offset":7,\
            "lag":2,"restore_remaining":0,"payloads":\(number),\
            "standbys":[\(number == 0 ? copies.joined(separator: ",") : "")]}
            """
    }

    private let summary = """
        {"payloads":{"total":7,"outcomes":{"open":3,"failed":4,"stalled":0,"completed":0},"statuses":{},\
        "failing_services":{"pup\\u001b[31mtoo":4}},"last_hour":{"outcomes":{"failed":4},"failing_services":{},\
        "dead_letters":{"bad-date":2}},"since_start":{"outcomes":{},"failing_services":{},"dead_letters":{}},\
        "started_at":"1970-01-01T00:00:00.000000Z","missing_partitions":[1]}
        """

    private func report(_ states: String...) throws -> TrackerReport {
        let rows = states.enumerated().map { partition($0.offset, $0.element) }.joined(separator: ",")
        let partitions =
            #"{"data":[\#(rows)],"input":[{"partition":0,"position":1,"end_offset":41,"lag":40},"#
            + #"{"partition":1,"position":null,"end_offset":null,"lag":null}]}"#
        return try TrackerReport(partitions: Data(partitions.utf8), summary: Data(summary.utf8))
    }

    @Test("who has what, how far behind, and what is missing are there to be read")
    func lines() throws {
        let lines = try report("\"running\"", "null").lines
        #expect(lines[0].hasPrefix("PARTITION  STATE    LAG"))
        let standbys = "tracker-1, tracker-2 (3 behind), tracker-3 (9 to go)"
        let first = "0          running  2    0           0         tracker-0  http://tracker-0:8080  \(standbys)"
        #expect(lines[1] == first)
        #expect(lines[2].contains("silent"))
        #expect(lines.contains("input      40 behind, and 1 partitions that nobody reads"))
        #expect(lines.contains("payloads   7: 0 completed, 4 failed, 0 stalled, 3 open"))
        #expect(lines.contains("           without partition 1"))
        #expect(lines.contains("failing    pup\\u{1b}[31mtoo 4"), "what producers wrote is escaped")
        #expect(lines.contains("refused    bad-date 2"))
    }

    @Test("a script is told by the exit code whether every partition runs")
    func isRunning() throws {
        #expect(try report("\"running\"", "\"running\"").isRunning)
        #expect(try !report("\"running\"", "\"restoring\"").isRunning)
        #expect(try !report("null").isRunning)
        #expect(throws: CommandFailure.self) { try TrackerReport(partitions: Data("{}".utf8), summary: Data()) }
    }
}
