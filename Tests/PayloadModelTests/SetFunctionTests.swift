import PayloadModel
import Testing
import SeededRandom

/// The state is a function of the set of entries. If one of these fails, what a user is told of a payload depends on luck:
/// on the partition a message landed on, on a crash, on a replay.
@Suite struct SetFunctionTests {
    private func expect(
        _ payload: Payload,
        is reference: ReferenceModel,
        _ comment: Comment,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let document = try payload.document()
        let statuses = try payload.statuses()
        if document.bytes != reference.document.bytes {
            Issue.record("\(comment)\n got: \(document)\nwant: \(reference.document)", sourceLocation: sourceLocation)
        }
        if statuses.bytes != reference.statuses.bytes {
            Issue.record("\(comment)\n got: \(statuses)\nwant: \(reference.statuses)", sourceLocation: sourceLocation)
        }
    }

    /// Folds all and judges once, so that revision and outcome are a function of the set as well.
    private func fold(_ messages: [StatusMessage], into payload: inout Payload) throws {
        for message in messages { _ = try payload.state.fold(message, rules: payload.rules) }
        _ = payload.state.judge(after: .entry, at: payload.now, rules: payload.rules)
    }

    @Test("Any order of arrival and any duplicates give what the contract says of the set", arguments: UInt64(0)..<200)
    func permutationsAndDuplicates(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let given = try RandomPayload(count: 1 + random.below(50), dates: 1 + random.below(30), using: &random)
        let reference = ReferenceModel(given.messages, given.rules)
        for round in 0..<3 {
            var payload = try Payload { $0 = given.rules }
            try fold(round == 0 ? given.messages : given.shuffled(using: &random), into: &payload)
            try expect(payload, is: reference, "seed \(seed), round \(round)")
        }
    }

    @Test("Two instances that each fold a half and then the other's half agree", arguments: UInt64(0)..<120)
    func splits(seed: UInt64) throws {
        var random = SplitMix64(seed: seed ^ 0xABCD)
        let given = try RandomPayload(count: 2 + random.below(50), dates: 1 + random.below(30), using: &random)
        let messages = given.shuffled(using: &random)
        let cut = random.below(messages.count)
        let halves = [Array(messages[..<cut]), Array(messages[cut...])]
        let reference = ReferenceModel(given.messages, given.rules)
        for (first, second) in [(0, 1), (1, 0)] {
            var payload = try Payload { $0 = given.rules }
            for message in halves[first] { _ = try payload.state.fold(message, rules: given.rules) }
            var copy = try payload.restored()
            try fold(halves[second], into: &copy)
            try expect(copy, is: reference, "seed \(seed), half \(first) first")
        }
    }

    @Test("A restart after any record changes nothing", arguments: UInt64(0)..<50)
    func restarts(seed: UInt64) throws {
        var random = SplitMix64(seed: seed ^ 0x5EED)
        let given = try RandomPayload(count: 30, dates: 12, using: &random)
        var straight = try Payload { $0 = given.rules }
        var restarted = straight
        for message in given.messages {
            restarted = try restarted.restored()
            let events = (try straight.take(message), try restarted.take(message))
            #expect(events.0 == events.1)
        }
        #expect(straight.state == restarted.state)
    }

    @Test("A record that comes again is unchanged, and the state stays the same to the bit", arguments: UInt64(0)..<100)
    func idempotence(seed: UInt64) throws {
        var random = SplitMix64(seed: seed ^ 0x1DE)
        let given = try RandomPayload(count: 40, dates: 20, using: &random)
        var payload = try Payload { $0 = given.rules }
        for message in given.messages { try payload.take(message) }
        let before = payload.state
        for message in given.messages.shuffled(using: &random) {
            #expect(try payload.state.fold(message, rules: given.rules) == .unchanged)
        }
        #expect(payload.state == before)
    }

    /// Long sets are trimmed; a payload whose entries come nearly in order must not lose anything that is told.
    @Test(
        "Thousands of entries that arrive nearly in order are told as if nothing was dropped",
        arguments: UInt64(0)..<40
    )
    func longHistories(seed: UInt64) throws {
        var random = SplitMix64(seed: seed ^ 0x10C6)
        let count = 300 + random.below(900)
        var given = try RandomPayload(count: count, dates: 100_000_000, using: &random)
        given.rules.historyMaxEntries = random.pick([1, 5, 100])
        given.messages.sort { $0.entry < $1.entry }
        if seed % 2 == 0 { try prependQuietFailures(to: &given, using: &random) }
        let reference = ReferenceModel(given.messages, given.rules)
        var payload = try Payload { $0 = given.rules }
        try fold(jittered(given.messages, by: 50, using: &random), into: &payload)
        try expect(payload, is: reference, "seed \(seed)")
        #expect(payload.storedEntries < given.rules.historyMaxEntries + 2_000)
    }

    /// A stage that fails some times early on, stays silent while others talk, and recovers at the very end.
    private func prependQuietFailures(to given: inout RandomPayload, using random: inout SplitMix64) throws {
        let failures = try (0..<(2 + random.below(30))).map {
            try Payload.message("quiet", "error", at: Int64($0) - 100)
        }
        given.messages.insert(contentsOf: failures, at: 0)
        given.messages.append(try Payload.message("quiet", "success", at: 1 << 50))
    }

    /// Each message at most about `distance` places from where it belongs.
    private func jittered(
        _ messages: [StatusMessage],
        by distance: Int,
        using random: inout SplitMix64
    ) -> [StatusMessage] {
        messages.enumerated().map { ($0.offset + random.below(distance), $0.element) }
            .sorted { $0.0 < $1.0 }.map(\.1)
    }

    @Test("Thousands of entries in any order: status, dates and the newest history are exact", arguments: UInt64(0)..<6)
    func longShuffledHistories(seed: UInt64) throws {
        var random = SplitMix64(seed: seed ^ 0x5F5F)
        var given = try RandomPayload(count: 1_000, dates: 100_000_000, using: &random)
        given.rules.historyMaxEntries = random.pick([5, 100])
        let reference = ReferenceModel(given.messages, given.rules).document
        var payload = try Payload { $0 = given.rules }
        try fold(given.shuffled(using: &random), into: &payload)
        let document = try payload.document()
        for key in ["status", "stages", "started_at", "updated_at", "truncated", "account", "org_id", "inventory_ids"] {
            #expect(document[key] == reference[key], "seed \(seed), \(key)")
        }
    }

    @Test("A backfill that comes newest first stays within bounds")
    func reverseOrder() throws {
        var payload = try Payload { $0.historyMaxEntries = 5 }
        for index in 0..<3_000 { try payload.send("a", "processing", at: Int64(10_000 - index)) }
        #expect(payload.history() == (0..<5).map { "a processing \(10_000 - $0)" })
        let document = try payload.document()
        #expect(document["stages"]?[0]?["first_date"] == "1970-01-01T00:00:00.007001Z")
        #expect(payload.storedEntries < 1_000)
    }
}
