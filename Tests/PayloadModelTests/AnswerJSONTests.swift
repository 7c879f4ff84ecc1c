import Foundation
import PayloadModel
import Testing

/// Section 4's event and section 6's payload, key by key: what every consumer of ours is written against.
@Suite struct AnswerJSONTests {
    private static let reportKeys: Set = ["service", "source", "status", "raw_status", "status_msg", "date"]

    /// A payload that has one of everything.
    private func richPayload() throws -> Payload {
        var payload = try Payload { $0.requiredServices = ["never"] }
        let start: Int64 = 1_704_164_645_000_001
        try payload.take(Payload.message("ingress", "received", at: start, account: "1", orgID: "2"))
        try payload.take(Payload.message("advisor/core", "error", at: start + 500_000, "retried", systemID: "s"))
        try payload.take(Payload.message("advisor/core", "completed", at: start + 600_000, inventoryID: "i"))
        payload.clock = 1_704_164_700
        return payload
    }

    @Test("A payload-failed event has exactly the contract's keys and values")
    func failedEvent() throws {
        var payload = try richPayload()
        let event = try payload.take(
            Payload.message("puptoo", "failed", at: 1_704_164_646_234_999, "cannot \"read\" /it")
        )
        let reason: JSON = [
            "service": "puptoo", "source": nil, "status": "failure", "raw_status": "failed",
            "status_msg": "cannot \"read\" /it",
            "date": "2024-01-02T03:04:06.234999Z",
        ]
        let recovered: JSON = [
            "service": "advisor", "source": "core", "status": "failure", "raw_status": "error", "status_msg": "retried",
            "date": "2024-01-02T03:04:05.500001Z",
        ]
        let expected: JSON = [
            "id": .string("\(Payload.id):2"), "type": "payload-failed", "revision": 2,
            "payload_id": .string(Payload.id),
            "status": "failure", "previous_outcome": "open", "account": "1", "org_id": "2", "inventory_ids": ["i"],
            "system_ids": ["s"], "reason": reason, "failed_stages": [reason], "recovered_failures": [recovered],
            "missing_services": ["never"], "services": ["advisor", "ingress", "puptoo"],
            "started_at": "2024-01-02T03:04:05.000001Z", "ended_at": "2024-01-02T03:04:06.234999Z",
            "duration_ms": 1_234,
            "emitted_at": "2024-01-02T03:05:00.000000Z",
        ]
        let encoded = try JSON(#require(event).json)
        #expect(encoded.bytes == expected.bytes)
    }

    @Test("What an event does not know is an explicit null or an empty list, never a missing key")
    func emptyEvent() throws {
        var payload = try Payload { $0.completionSettle = 0 }
        let event = try payload.send("a", "success", at: 0)
        #expect(
            try JSON(#require(event).json).bytes
                == ([
                    "id": .string("\(Payload.id):1"), "type": "payload-completed", "revision": 1,
                    "payload_id": .string(Payload.id),
                    "status": "success", "previous_outcome": "open", "account": nil, "org_id": nil, "inventory_ids": [],
                    "system_ids": [], "reason": nil, "failed_stages": [], "recovered_failures": [],
                    "missing_services": [],
                    "services": ["a"], "started_at": "1970-01-01T00:00:00.000000Z",
                    "ended_at": "1970-01-01T00:00:00.000000Z",
                    "duration_ms": 0, "emitted_at": "1970-01-12T13:46:40.000000Z",
                ] as JSON).bytes
        )
    }

    @Test("A payload-stalled event says what it waits for")
    func stalledEvent() throws {
        var payload = try richPayload()
        let event = payload.wait(3_600)
        let json = try JSON(#require(event).json)
        #expect(json["type"] == "payload-stalled")
        #expect(json["status"] == "processing")
        #expect(json["reason"]?.keys == AnswerJSONTests.reportKeys)
        #expect(json["reason"]?["status_msg"] == .null)
        #expect(json["reason"]?["service"] == "ingress")
        #expect(json["failed_stages"] == [])
    }

    @Test("Each revision has its own id, and the same event the same one")
    func revisions() throws {
        var payload = try Payload { $0.completionSettle = 0 }
        var ids: [String] = []
        for round in 0..<4 {
            let word = round % 2 == 0 ? "success" : "failure"
            let event = try payload.send("a", word, at: Int64(round))
            ids.append(try #require(event).id)
        }
        #expect(ids == (1...4).map { "\(Payload.id):\($0)" })
    }

    @Test("A payload has exactly the contract's keys, stages by service and source")
    func document() throws {
        var payload = try richPayload()
        try payload.send("advisor", "received", at: 1_704_164_645_600_001)
        let document = try payload.document()
        #expect(
            document.keys == [
                "payload_id", "status", "outcome", "revision", "reason", "failed_stages", "recovered_failures",
                "missing_services", "stages",
                "account", "org_id", "inventory_ids", "system_ids", "started_at", "updated_at", "duration_ms",
                "truncated",
            ]
        )
        let stages = document["stages"]
        #expect(stages?.elements.map { $0["service"] } == ["advisor", "advisor", "ingress"])
        #expect(
            stages?[1]?.bytes
                == ([
                    "service": "advisor", "source": "core", "status": "success", "raw_status": "completed",
                    "status_msg": nil,
                    "first_date": "2024-01-02T03:04:05.500001Z", "last_date": "2024-01-02T03:04:05.600001Z",
                    "duration_ms": 100,
                    "entries": 2, "handed_over": false,
                ] as JSON).bytes
        )
        #expect(stages?[0]?["source"] == .null)
        #expect(stages?[0]?["handed_over"] == true)
        #expect(document["reason"] == .null)
        #expect(document["outcome"] == "open")
        #expect(document["revision"] == 1)
        #expect(document["missing_services"] == ["never"])
        #expect(document["started_at"] == "2024-01-02T03:04:05.000001Z")
        #expect(document["updated_at"] == "2024-01-02T03:04:05.600001Z")
        #expect(document["duration_ms"] == 600)
        #expect(document["truncated"] == [])
    }

    @Test("The history's entries have exactly the contract's keys, null ones too")
    func statuses() throws {
        let payload = try richPayload()
        let statuses = try payload.statuses()
        #expect(statuses.elements.count == 3)
        for status in statuses.elements { #expect(status.keys == AnswerJSONTests.reportKeys) }
        #expect(statuses[2]?["source"] == .null)
        #expect(statuses[2]?["status_msg"] == .null)
        #expect(statuses[0]?["raw_status"] == "completed")
    }

    @Test("Control characters and every plane of Unicode come out as they went in")
    func texts() throws {
        let text = "\u{0}\u{1F}\u{7F}\"\\/\u{2028}\u{E9}e\u{301}\u{1F469}\u{200D}\u{1F680}\u{10FFFF}"
        var payload = try Payload()
        try payload.send("a", "received", at: 0, text)
        let sent = try payload.document()["stages"]?[0]?["status_msg"]?.text
        #expect(Array((sent ?? "").utf8) == Array(text.utf8))
    }

    @Test("A payload before its first entry can be asked for without a trap")
    func empty() throws {
        let document = try Payload().document()
        #expect(document["status"] == "received")
        #expect(document["started_at"] == .null)
        #expect(document["duration_ms"] == .null)
        #expect(document["stages"] == [])
    }
}
