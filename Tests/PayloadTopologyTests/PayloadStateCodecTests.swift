import PayloadModel
import Testing

@testable import PayloadTopology

/// A payload that is stored and read again must be the same payload.
@Suite struct PayloadStateCodecTests {
    @Test func everyFieldSurvives() throws {
        let id = try PayloadID(normalizing: "{0123-not-a-uuid}")
        var state = PayloadState(id: id)
        var rules = PayloadRules()
        rules.historyMaxEntries = 3
        for number in 0..<400 {
            let entry = StatusEntry(
                date: Timestamp(microseconds: Int64(number) - 200),
                status: Status.allCases[number % 5],
                rawStatus: Text("w\(number % 7)"),
                message: number % 3 == 0 ? nil : Text("m\(number)")
            )
            let message = StatusMessage(
                payloadID: id,
                service: Text("s\(number % 4)"),
                source: number % 2 == 0 ? nil : "src",
                entry: entry,
                account: number % 5 == 0 ? Text("a\(number)") : nil,
                orgID: "o",
                inventoryID: Text("i\(number % 9)"),
                systemID: Text("y\(number)")
            )
            _ = try state.fold(message, rules: rules)
            _ = state.judge(after: .entry, at: Timestamp(microseconds: Int64(number) * 1_000), rules: rules)
        }
        #expect(state.trimmedThrough != nil)
        let timerAt = Timestamp(microseconds: 1_700_000_000_000_000)
        let bytes = try PayloadStateCodec.encode(state, timerAt: timerAt)
        let decoded = try bytes.withUnsafeBytes { try PayloadStateCodec.decode($0, id: id) }
        #expect(decoded.state == state)
        #expect(decoded.timerAt == timerAt)
    }

    @Test func bytesOfAnotherProgramAreRefusedNotTrusted() throws {
        let id = try PayloadID(normalizing: "x")
        for bytes: [UInt8] in [[0xff, 0xff], [0x0a, 0x02, 0x0a, 0x00], Array("hello".utf8)] {
            #expect(throws: (any Error).self) { try bytes.withUnsafeBytes { try PayloadStateCodec.decode($0, id: id) } }
        }
    }
}
