import PayloadModel
import Testing

/// Section 3: which entry a stage stands at, and how stages roll up to a payload's status.
@Suite struct StageRulesTests {
    /// Each is greater than the one before it.
    private static let ascending: [(date: Int64, word: String, text: String?)] = [
        (-1, "failure", "z"), (0, "received", nil), (0, "recieved", nil), (0, "received", ""), (0, "recieved", ""),
        (0, "received", "a"), (0, "processing", nil), (0, "validated", nil), (0, "processing", "Z"),
        (0, "processing", "a"),
        (0, "processing", "aa"), (0, "processing", "e\u{301}"), (0, "processing", "\u{E9}"), (0, "completed", nil),
        (0, "success", nil), (0, "success", "zz"), (0, "invalid", nil), (0, "invalid", "zz"), (0, "error", nil),
        (0, "failure", nil), (0, "error", "a"), (0, "failure", "a"), (0, "error", "b"), (1, "received", nil),
    ]

    @Test("A stage's current entry is the greatest by date, rank, severity, text and word")
    func order() throws {
        let entries = try StageRulesTests.ascending.map {
            try Payload.message("a", $0.word, at: $0.date, $0.text).entry
        }
        for (index, lesser) in entries.enumerated() {
            #expect(!(lesser < lesser))
            for greater in entries[(index + 1)...] {
                #expect(lesser < greater)
                #expect(!(greater < lesser))
                #expect(lesser != greater)
            }
        }
        var payload = try Payload()
        for entry in StageRulesTests.ascending.shuffled() {
            try payload.send("a", entry.word, at: entry.date, entry.text)
        }
        #expect(payload.state.stages.map(\.entries) == [entries])
        let stage = try payload.document()["stages"]?[0]
        #expect(stage?["date"] == nil)
        #expect(stage?["status"] == "received")
    }

    @Test(
        "A later retry reopens a failed stage; equal dates settle by rank, whatever came first",
        arguments: [false, true]
    )
    func retry(reversed: Bool) throws {
        let words = ["failure", "received"]
        for (dates, status) in [([1, 2] as [Int64], Status.received), ([1, 1], .failure)] {
            var payload = try Payload()
            let messages = try zip(words, dates).map { try Payload.message("a", $0, at: $1) }
            for message in reversed ? messages.reversed() : messages { try payload.take(message) }
            #expect(payload.status == status)
        }
    }

    @Test("No source is a source of its own, and an empty one another")
    func stageIdentity() throws {
        var payload = try Payload()
        for source in [nil, "x", "X", ""] as [String?] {
            var message = try Payload.message("a", "received", at: 1)
            message.source = source.map { Text($0) }
            try payload.take(message)
        }
        let sources = try payload.document()["stages"]?.elements.map { $0["source"] }
        #expect(sources == [.null, "", "X", "x"])
    }

    @Test(
        "The payload's status is failure, else invalid, else success or received if all are, else processing",
        arguments: [
            (["success", "failure", "invalid", "received"], Status.failure),
            (["success", "invalid", "processing"], .invalid), (["success", "success"], .success),
            (["received", "received"], .received), (["processing", "processing"], .processing),
            (["success", "received"], .processing), (["success", "processing"], .processing),
            (["received", "processing"], .processing), (["received"], .received),
        ]
    )
    func rollUp(words: [String], status: Status) throws {
        var payload = try Payload()
        for (index, word) in words.enumerated() { try payload.send("s\(index)", word, at: 1) }
        #expect(payload.status == status)
    }

    @Test("Stages of ignored services are kept and do not count; a payload with no other stays received and open")
    func ignoredServices() throws {
        var payload = try Payload {
            $0.ignoredServices = ["tasks"]
            $0.completionSettle = 0
            $0.stallAfter = 1_000_000
        }
        #expect(try payload.send("tasks", "failure", at: 1) == nil)
        #expect(payload.status == .received)
        #expect(payload.wait(3_600) == nil)
        var document = try payload.document()
        #expect(document["outcome"] == "open")
        #expect(document["failed_stages"] == [])
        #expect(payload.history() == ["tasks failure 1"])
        try payload.send("tasks", "success", at: 2)
        #expect(payload.status == .received)
        document = try payload.document()
        #expect(document["outcome"] == "open")
        #expect(document["recovered_failures"] == [])
        let event = try payload.send("a", "success", at: 3)
        #expect(event?.type == "payload-completed")
        #expect(try payload.send("tasks", "failure", at: 4) == nil)
        #expect(payload.status == .success)
    }

    @Test(
        "A stage at received is handed over once the same service is terminal elsewhere at the same or a later date",
        arguments: [
            ("success", Int64(10), true, Status.success), ("success", 11, true, .success),
            ("success", 9, false, .processing),
            ("processing", 11, false, .processing), ("failure", 10, true, .failure), ("invalid", 10, true, .invalid),
        ]
    )
    func handedOver(word: String, date: Int64, isHandedOver: Bool, status: Status) throws {
        for names in [("c/in", "c/out"), ("c/z", "c"), ("c", "c/a")] {
            var payload = try Payload()
            try payload.send(names.0, "received", at: 10)
            try payload.send(names.1, word, at: date)
            #expect(payload.status == status)
            let flags = try payload.document()["stages"]?.elements.map { [$0["status"], $0["handed_over"]] } ?? []
            #expect(flags.contains(["received", .bool(isHandedOver)]))
            #expect(flags.contains([.string(word), false]))
        }
    }

    @Test("Another service's end, or a stage that has gone on to processing, hands nothing over")
    func notHandedOver() throws {
        var payload = try Payload()
        try payload.send("c/in", "received", at: 10)
        try payload.send("d/out", "success", at: 11)
        #expect(payload.status == .processing)
        try payload.send("c/out", "success", at: 11)
        #expect(payload.status == .success)
        try payload.send("c/in", "processing", at: 10)
        #expect(payload.status == .processing)
        try payload.send("c/in", "received", at: 12)
        #expect(payload.status == .processing, "received again after the service had finished")
    }

    @Test("Sticky recovery: a stage's first failure is final, even when it arrives last")
    func sticky() throws {
        var payload = try Payload { $0.stageRecovery = .sticky }
        try payload.send("a", "success", at: 5)
        try payload.send("a", "invalid", at: 3, "later")
        let event = try payload.send("a", "failure", at: 2, "first")
        #expect(event == nil, "it had failed already")
        try payload.send("a", "failure", at: 4)
        #expect(payload.status == .failure)
        let document = try payload.document()
        #expect(document["reason"]?["status_msg"] == "first")
        #expect(document["stages"]?[0]?["status_msg"] == "first")
        #expect(document["recovered_failures"] == [])
        #expect(document["failed_stages"]?.elements.count == 1)
        payload.rules.stageRecovery = .latest
        #expect(payload.status == .success)
    }

    @Test("The 257th stage is refused as too-many-stages and leaves no trace; entries of the 256 are still taken")
    func tooManyStages() throws {
        var payload = try Payload()
        for index in 0..<256 { try payload.send("s\(index / 16)/\(index)", "received", at: 1) }
        let before = payload.state
        let refused = try Payload.message("s", "failure", at: 2, account: "1", inventoryID: "i")
        let refusal = #expect(throws: Refusal.self) { _ = try payload.state.fold(refused, rules: payload.rules) }
        #expect(refusal?.reason == .tooManyStages)
        #expect(refusal?.service == "s")
        #expect(payload.state == before)
        try payload.send("s0/0", "failure", at: 2)
        #expect(payload.status == .failure)
    }
}
