import PayloadModel
import Testing
import SeededRandom

/// What the members say is the matter of `SetFunctionTests`; here it is how they are spelled, which each is by hand. Clients compare
/// answers, and caches their hashes.
@Suite struct DocumentJSONTests {
    @Test("Documents and histories are spelled as Foundation does it, with sorted members", arguments: UInt64(0)..<200)
    func spelling(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let given = try RandomPayload(count: 1 + random.below(40), dates: 1 + random.below(30), using: &random)
        var payload = try Payload { $0 = given.rules }
        for message in given.messages {
            payload.clock += Int64(random.below(3_000))
            try payload.take(message)
        }
        for showsStages in [true, false] {
            let written = payload.writtenDocument(showsStages: showsStages)
            #expect(try written == JSON(written).bytes, "seed \(seed)")
        }
        let written = payload.writtenStatuses()
        #expect(try written == JSON(written).bytes, "seed \(seed)")
    }

    @Test("Who answers stands among the payload's own members, and how stale it is where that is asked for")
    func source() throws {
        var payload = try Payload()
        try payload.send("a", "received", at: 0, "\u{0}\u{1F}\u{7F}\"\\/\u{8}\u{C}\r\n\t\u{E9}\u{1F680}")
        for staleness in [nil, 0, 7] as [Int64?] {
            var writer = JSONWriter()
            PayloadDocument(payload.state, rules: payload.rules).write(
                to: &writer,
                source: PayloadDocument.Source(partition: 3, servedBy: "http://a/\"b\"", stalenessRecords: staleness)
            )
            let document = try JSON(writer.bytes)
            #expect(writer.bytes == document.bytes)
            #expect(document["partition"] == 3)
            #expect(document["served_by"] == "http://a/\"b\"")
            #expect(document["staleness_records"] == staleness.map { .integer($0) })
        }
    }
}
