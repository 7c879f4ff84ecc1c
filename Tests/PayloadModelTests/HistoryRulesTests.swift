import PayloadModel
import Testing
import SeededRandom

/// Section 3: attributes, the history and its bounds, and what `truncated` admits.
@Suite struct HistoryRulesTests {
    @Test("The history is newest first by date, rank, severity, text and word, over all stages")
    func order() throws {
        var payload = try Payload()
        for (stage, word, date) in [
            ("b", "success", 5), ("a", "received", 5), ("c", "processing", 5), ("a", "error", 4), ("z", "invalid", 4),
            ("z", "received", 6),
        ] as [(String, String, Int64)] { try payload.send(stage, word, at: date) }
        #expect(
            payload.history() == [
                "z received 6", "b success 5", "c processing 5", "a received 5", "a error 4", "z invalid 4",
            ]
        )
        #expect(payload.history(limit: 2) == ["z received 6", "b success 5"])
        #expect(payload.history(limit: 0) == [])
        #expect(payload.history(limit: 99).count == 6)
    }

    @Test("The newest history.max-entries are shown; current and telling entries stay in any case")
    func maxEntries() throws {
        var payload = try Payload { $0.historyMaxEntries = 2 }
        try payload.send("old", "received", at: 1)
        for date in 2...6 { try payload.send("bad", "error", at: Int64(date)) }
        #expect(try payload.document()["truncated"] == ["history"])
        for date in 10...14 { try payload.send("new", "processing", at: Int64(date)) }
        #expect(
            payload.history() == [
                "new processing 14", "new processing 13", "bad error 6", "bad error 2", "old received 1",
            ]
        )
        let stages = try payload.document()["stages"]?.elements.map { [$0["service"], $0["entries"]] }
        #expect(stages == [["bad", 2], ["new", 2], ["old", 1]])
    }

    @Test("Of the newest those that fit in history.max-bytes are shown, and no older one in a gap")
    func maxBytes() throws {
        var payload = try Payload { $0.historyMaxBytes = 100 }
        // 16 + "a" + "received" = 25 bytes without the text.
        try payload.send("a", "received", at: 1)
        try payload.send("a", "received", at: 2, String(repeating: "x", count: 60))
        try payload.send("a", "received", at: 3)
        try payload.send("a", "received", at: 4)
        #expect(payload.history() == ["a received 4", "a received 3"])
        #expect(try payload.document()["truncated"] == ["history"])
        payload.rules.historyMaxBytes = 25 * 3 + 60
        #expect(payload.history() == ["a received 4", "a received 3", "a received 2"])
        payload.rules.historyMaxBytes = 25 * 4 + 60
        #expect(payload.history().count == 4)
        #expect(try payload.document()["truncated"] == [])
        payload.rules.historyMaxBytes = 0
        #expect(payload.history() == ["a received 4"])
    }

    @Test("A history within its bounds is whole and says so")
    func atTheBound() throws {
        var payload = try Payload { $0.historyMaxEntries = 300 }
        for date in 0..<300 { try payload.send("a", "processing", at: Int64(date)) }
        #expect(payload.history().count == 300)
        #expect(try payload.document()["truncated"] == [])
        try payload.send("a", "processing", at: 300)
        #expect(payload.history().count == 300)
        #expect(try payload.document()["truncated"] == ["history"])
    }

    @Test("Long texts are bounded too: the stored state stays near history.max-bytes")
    func storedBytes() throws {
        var payload = try Payload { $0.historyMaxBytes = 10_000 }
        let text = String(repeating: "x", count: 4_000)
        for date in 0..<1_000 { try payload.send("a", "processing", at: Int64(date), "\(date) \(text)") }
        #expect(payload.history().count == 2)
        #expect(payload.storedEntries * 4_000 < 400_000)
    }

    @Test("Dates and durations are over all that ever came, also what was dropped long ago")
    func datesOverAll() throws {
        var payload = try Payload { $0.historyMaxEntries = 3 }
        for date in 0..<1_000 { try payload.send("a", "processing", at: Int64(date) * 1_000) }
        try payload.send("b", "received", at: 5_000)
        var document = try payload.document()
        #expect(document["started_at"] == "1970-01-01T00:00:00.000000Z")
        #expect(document["updated_at"] == "1970-01-01T00:00:00.999000Z")
        #expect(document["duration_ms"] == 999)
        #expect(document["stages"]?[0]?["first_date"] == "1970-01-01T00:00:00.000000Z")
        #expect(document["stages"]?[0]?["duration_ms"] == 999)
        #expect(document["stages"]?[1]?["duration_ms"] == 0)
        try payload.send("a", "received", at: -1_000)
        document = try payload.document()
        #expect(document["stages"]?[0]?["first_date"] == "1969-12-31T23:59:59.999000Z")
        #expect(document["duration_ms"] == 1_000)
    }

    @Test("A replay of what was dropped changes nothing and restarts no timer")
    func replayOfDropped() throws {
        var payload = try Payload { $0.historyMaxEntries = 3 }
        let messages = try (0..<1_000).map { try Payload.message("a", "processing", at: Int64($0), "t") }
        for message in messages { try payload.take(message) }
        let before = payload.state
        for message in messages {
            #expect(try payload.state.fold(message, rules: payload.rules) == .unchanged)
        }
        #expect(payload.state == before)
    }

    @Test("What was dropped stays admitted when the bounds are raised later")
    func raisedBounds() throws {
        var payload = try Payload { $0.historyMaxEntries = 3 }
        for date in 0..<1_000 { try payload.send("a", "processing", at: Int64(date)) }
        payload.rules.historyMaxEntries = 10_000
        #expect(try payload.document()["truncated"] == ["history"])
        #expect(payload.history().count == payload.storedEntries)
    }

    @Test("A late entry that what is told depends on is taken, though others of its age were dropped")
    func lateButTold() throws {
        var payload = try Payload { $0.historyMaxEntries = 3 }
        try payload.send("bad", "error", at: 10, "general")
        for date in 20..<1_000 { try payload.send("busy", "processing", at: Int64(date)) }
        #expect(try payload.document()["reason"]?["status_msg"] == "general")
        try payload.send("bad", "error", at: 5, "the real error")
        #expect(try payload.document()["reason"]?["status_msg"] == "the real error")
        try payload.send("bad", "processing", at: 7)
        let document = try payload.document()
        #expect(document["reason"]?["status_msg"] == "general")
        #expect(document["recovered_failures"]?[0]?["status_msg"] == "the real error")
    }

    @Test("The last account and org_id by date win, equal dates by the greater bytes, and none never wins")
    func lastWriterWins() throws {
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
            let messages = [
                try Payload.message("a", "received", at: 2, account: "10", orgID: "e\u{301}"),
                try Payload.message("a", "processing", at: 2, account: "9", orgID: "\u{E9}"),
                try Payload.message("a", "success", at: 1, account: "99", orgID: "z"),
                try Payload.message("a", "received", at: 3),
            ]
            var payload = try Payload()
            for index in order { try payload.take(messages[index]) }
            let document = try payload.document()
            #expect(document["account"] == "9")
            #expect(document["org_id"]?.bytes == JSON.string("\u{E9}").bytes)
        }
    }

    @Test("Attributes are taken from a message whose entry is known, and from one whose entry was dropped")
    func attributesOfKnownEntries() throws {
        var payload = try Payload { $0.historyMaxEntries = 3 }
        for date in 0..<1_000 { try payload.send("a", "processing", at: Int64(date)) }
        let late = try Payload.message("a", "processing", at: 7, account: "1", inventoryID: "i")
        #expect(try payload.state.fold(late, rules: payload.rules) == .attributesChanged)
        #expect(try payload.document()["inventory_ids"] == ["i"])
    }

    @Test("inventory_ids and system_ids are sorted sets of the 1,000 with the latest dates", arguments: UInt64(0)..<4)
    func idSets(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        // id n was last seen at date n / 2; some were seen before.
        var messages = try (0..<1_100).map { number in
            let id = String(10_000 + number)
            return try Payload.message("a", "processing", at: Int64(number / 2), inventoryID: id, systemID: id)
        }
        messages += try (0..<200).map { number in
            try Payload.message("a", "processing", at: -5, inventoryID: String(10_000 + number * 3), systemID: "s")
        }
        if seed > 0 { messages.shuffle(using: &random) }
        var payload = try Payload()
        for message in messages { _ = try payload.state.fold(message, rules: payload.rules) }
        let document = try payload.document()
        let expected = (100..<1_100).map { JSON.string(String(10_000 + $0)) }
        #expect(document["inventory_ids"]?.elements == expected)
        // One of 1,101: the oldest 101 left.
        #expect(document["system_ids"]?.elements == expected)
        #expect(document["truncated"] == ["history", "inventory_ids", "system_ids"])
        let before = payload.state
        for message in messages { #expect(try payload.state.fold(message, rules: payload.rules) == .unchanged) }
        #expect(payload.state == before)
    }

    @Test("Exactly 1,000 ids are whole")
    func thousandIDs() throws {
        var payload = try Payload()
        for number in 0..<1_000 {
            try payload.take(Payload.message("a", "received", at: 1, inventoryID: "\(number)"))
        }
        #expect(try payload.document()["truncated"] == [])
        try payload.take(Payload.message("a", "received", at: 0, inventoryID: "early"))
        let document = try payload.document()
        #expect(document["truncated"] == ["inventory_ids"])
        #expect(document["inventory_ids"]?.elements.contains("early") == false)
    }
}
