import Foundation
import KafkaClient
import PayloadModel
import RocksStore
import StreamRuntime
import Testing

@testable import PayloadTopology

/// What versions before this one have written has to be read as it was meant, and this one has to write what they can read.
///
/// A failure here means that a format has changed. If that is meant: a store is rebuilt when `PayloadStore.formatVersion` is raised, so raise
/// it and put today's bytes here. Changelog values, forwarded records and outcome events cannot be made anew: keep the old bytes, which have
/// to be read as before, beside today's, and have a changelog value that older versions must not read say so in `needs_format`. Either way
/// docs/operations.md ("Upgrades") has to say what an upgrade needs.
@Suite(.timeLimit(.minutes(3))) struct StoredFormatTests {
    private let rules = PayloadRules()

    private static func time(_ second: Int64) -> Timestamp {
        Timestamp(microseconds: 1_704_164_645_678_000 + second * 1_000_000)
    }

    /// A payload with every field that a state can have.
    private func rich() throws -> PayloadState {
        func entry(_ second: Int64, _ status: Status, _ word: Text, _ message: Text? = nil) -> StatusEntry {
            StatusEntry(date: StoredFormatTests.time(second), status: status, rawStatus: word, message: message)
        }
        func stage(_ service: Text, _ source: Text?, _ entries: [StatusEntry]) throws -> Stage {
            let first = try #require(entries.first).date.advanced(byMicroseconds: -1)
            let last = try #require(entries.last).date
            let stage = Stage(service: service, source: source, entries: entries, firstDate: first, lastDate: last)
            return try #require(stage)
        }
        let stages = [
            try stage("advisor", nil, [entry(3, .processing, "processed")]),
            try stage("ingress", "api", [entry(0, .received, "received"), entry(1, .success, "success")]),
            try stage("puptoo", nil, [entry(4, .failure, "error", "no such archive")]),
            try stage("yupana", nil, [entry(2, .invalid, "invalid", ""), entry(5, .success, "success")]),
        ]
        return PayloadState(
            id: try PayloadID(normalizing: "0123456789abcdef0123456789abcdef"),
            stages: stages,
            attributes: Attributes(
                account: LatestText(text: "540155", date: StoredFormatTests.time(0)),
                orgID: LatestText(text: "1979710", date: StoredFormatTests.time(1)),
                inventoryIDs: RecentTexts(
                    members: [
                        LatestText(text: "i1", date: StoredFormatTests.time(2)),
                        LatestText(text: "i2", date: StoredFormatTests.time(3)),
                    ],
                    isTruncated: true
                ),
                systemIDs: RecentTexts(
                    members: [LatestText(text: "é", date: StoredFormatTests.time(4))],
                    isTruncated: false
                )
            ),
            trimmedThrough: StoredFormatTests.time(-60),
            outcome: .completed,
            revision: 300,
            changedAt: StoredFormatTests.time(10)
        )
    }

    /// One that has as little as a payload can have.
    private func poor() throws -> PayloadState {
        var state = PayloadState(id: try PayloadID(normalizing: "p"))
        let entry = StatusEntry(date: StoredFormatTests.time(0), status: .received, rawStatus: "received")
        _ = try state.fold(StatusMessage(payloadID: state.id, service: "s", entry: entry), rules: rules)
        _ = state.judge(after: .entry, at: StoredFormatTests.time(20), rules: rules)
        return state
    }

    @Test("a changelog value is read as it was meant, and written with the same bytes")
    func changelogValues() throws {
        for (state, golden) in [(try rich(), StoredFormatTests.richValue), (try poor(), StoredFormatTests.poorValue)] {
            let timerAt = state.changedAt.advanced(byMicroseconds: 60_000_000)
            let decoded = try bytes(golden).withUnsafeBytes { try PayloadStateCodec.decode($0, id: state.id) }
            #expect(decoded.state == state)
            #expect(decoded.timerAt == timerAt)
            #expect(hex(PayloadStateCodec.encode(state, timerAt: timerAt)) == golden)
        }
    }

    @Test("an outcome event has the same bytes")
    func outcomeEvent() throws {
        var state = try rich()
        let judged = state.judge(after: .entry, at: StoredFormatTests.time(30), rules: rules)
        let event = try #require(judged)
        #expect(String(decoding: event.json, as: UTF8.self) == StoredFormatTests.outcomeEvent)
        #expect(event.id == "0123456789abcdef0123456789abcdef:301" && event.type == "payload-failed")
    }

    @Test("a store is laid out as its format says")
    func layout() throws {
        #expect(PayloadStore.formatVersion == 2)
        let listed = try ListedStore(rules)
        try listed.commit([try rich()])
        // The first one is quiet for long enough to be indexed.
        try listed.commit([try poor()], after: 6_000_000)
        let found = try dump(listed.database)
        #expect(found == StoredFormatTests.store)
    }

    @Test("a store that is there is read as it was meant")
    func storeOfBefore() throws {
        let listed = try ListedStore(rules)
        let store = try listed.emptyStore("before")
        defer {
            store.close()
            try? FileManager.default.removeItem(atPath: store.path)
        }
        let batch = WriteBatch(store)
        for line in StoredFormatTests.store {
            let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
            let family = try #require(PayloadStore.columnFamilies.first { $0.name == words[0] })
            try batch.put(family, key: bytes(words[1]), value: bytes(words[2]))
        }
        try store.write(batch)
        let expected = [try poor(), try rich()]
        for state in expected { #expect(try PayloadStore.payload(state.id, in: store) == state) }
        #expect(try PayloadInspection.problems(of: store, rules: rules, atMost: 10) == [])
        let filter = try PayloadFilter(["failed_service": "puptoo", "inventory_id": "i2"])
        let page = try PayloadList.page(of: [0: store], filter, after: nil, limit: 10)
        #expect(page.items.map(\.state) == [try rich()])
    }

    @Test("a record that was forwarded is folded: it has nothing of ours but its key")
    func forwardedRecord() async throws {
        let worker = try TestWorker()
        let id = "0123456789abcdef0123456789abcdef"
        let value = status("01234567-89AB-CDEF-0123-456789ABCDEF", "puptoo", "error", at: 1)
        try worker.write(id, Array(value.utf8), to: worker.topics.repartition)
        try await worker.run(rules) { application in
            try await eventually("it is folded") { try worker.payload(id, in: application)?.outcome == .failed }
        }
        #expect(try worker.outcomes().map(\.key) == [id])
        #expect(try worker.records(of: worker.topics.deadLetter).isEmpty)
    }

    @Test(
        "a changelog that only a later version can read stops the worker with a sentence that says so",
        arguments: [false, true]
    )
    func laterChangelog(hasStore: Bool) async throws {
        let worker = try TestWorker()
        try worker.write("p", bytes(StoredFormatTests.poorValue), to: worker.topics.changelog)
        if hasStore {
            // A store that is there, and behind: it is brought up to date in another way than an empty one is filled.
            try await worker.run(rules) { application in
                try await eventually("it is restored") { try worker.payload("p", in: application) != nil }
            }
        }
        // Field 11 with the value 2.
        try worker.write("p", bytes(StoredFormatTests.poorValue) + [0x58, 2], to: worker.topics.changelog)
        let error = try await #require(throws: StreamError.self) { try await worker.application(rules).run() }
        #expect("\(error)".contains("it has format 2, and this program knows formats up to 1"), "\(error)")
    }

    private func dump(_ store: Database) throws -> [String] {
        var lines: [String] = []
        for family in PayloadStore.columnFamilies {
            var iterator = try store.makeIterator(family)
            var isValid = try iterator.seekToFirst()
            while isValid {
                lines.append("\(family.name) \(hex(iterator.key)) \(hex(iterator.value))")
                isValid = try iterator.next()
            }
        }
        return lines
    }

    private func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
