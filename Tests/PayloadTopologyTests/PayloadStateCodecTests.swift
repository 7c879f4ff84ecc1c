import PayloadModel
import SwiftProtobuf
import Testing
import SeededRandom

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
        let bytes = PayloadStateCodec.encode(state, timerAt: timerAt)
        let decoded = try bytes.withUnsafeBytes { try PayloadStateCodec.decode($0, id: id) }
        #expect(decoded.state == state)
        #expect(decoded.timerAt == timerAt)
    }

    @Test(
        "the timer alone is read as with the rest",
        arguments: [0, 1, -1, 63, 64, -65, 1_700_000_000_000_000, .max, .min] as [Int64]
    )
    func timer(microseconds: Int64) throws {
        let id = try PayloadID(normalizing: "abc")
        let timerAt = Timestamp(microseconds: microseconds)
        var state = PayloadState(id: id)
        for number in 0..<3 {
            let entry = StatusEntry(date: timerAt, status: .success, rawStatus: Text("w\(number)"))
            _ = try state.fold(
                StatusMessage(
                    payloadID: id,
                    service: "s",
                    source: nil,
                    entry: entry,
                    account: nil,
                    orgID: "o",
                    inventoryID: nil,
                    systemID: nil
                ),
                rules: PayloadRules()
            )
        }
        let bytes = PayloadStateCodec.encode(state, timerAt: timerAt)
        #expect(try bytes.withUnsafeBytes { try PayloadStateCodec.timerAt($0) } == timerAt)
        for length in 1..<bytes.count {
            // Cut anywhere, it is read or refused.
            _ = try? bytes.prefix(length).withUnsafeBytes { try PayloadStateCodec.timerAt($0) }
        }
    }

    @Test func thePayloadWithTheMostToKeepFitsItsChangelog() throws {
        let id = try PayloadID(normalizing: String(repeating: "i", count: 256))
        var state = PayloadState(id: id)
        let rules = PayloadRules()
        func long(_ text: String, _ bytes: Int) -> Text {
            Text(text + String(repeating: "x", count: bytes - text.utf8.count))
        }
        for (round, status) in [Status.failure, .processing, .failure, .failure].enumerated() {
            for stage in 0..<PayloadRules.maxStages {
                let number = round * PayloadRules.maxStages + stage
                let message = StatusMessage(
                    payloadID: id,
                    service: long("service-\(stage)", 128),
                    source: long("source", 256),
                    entry: StatusEntry(
                        date: Timestamp(microseconds: Int64(number)),
                        status: status,
                        rawStatus: "processing_success",
                        message: long("\(number)", rules.statusMessageMaxBytes)
                    ),
                    account: long("a", 256),
                    orgID: long("o", 256),
                    inventoryID: long("\(number)", 256),
                    systemID: long("\(number)", 256)
                )
                _ = try state.fold(message, rules: rules)
            }
        }
        let bytes = PayloadStateCodec.encode(state, timerAt: Timestamp(microseconds: 0))
        #expect(bytes.count > 4 << 20)
        #expect(bytes.count <= PayloadState.largestBytes(rules))
    }

    /// Other programs read the changelog by `payload_state.proto`, and stores of earlier versions were written by protoc's code.
    @Test func protocsCodeReadsAndWritesTheSameBytes() throws {
        let rules = PayloadRules()
        var traffic = try ListTraffic(seed: 1, payloads: 40, rules: rules)
        var states: [PayloadID: PayloadState] = [:]
        for _ in 0..<20 {
            for state in try traffic.change(states, count: 40, at: 1_700_000_000_000_000) { states[state.id] = state }
        }
        for state in states.values {
            let bytes = PayloadStateCodec.encode(state, timerAt: state.changedAt)
            let message = try PayloadTracker_V1_PayloadState(serializedBytes: bytes)
            #expect(message.unknownFields.data.isEmpty)
            #expect(message.stages.map(\.service) == state.stages.map(\.service.string))
            #expect(try message.serializedBytes() == bytes)
        }
    }

    @Test func fieldsOfALaterVersionAreSkipped() throws {
        let id = try PayloadID(normalizing: "x")
        // Field 2047 as a varint, fixed64, bytes and fixed32, then revision 7.
        let later: [UInt8] = [
            0xf8, 0x7f, 1, 0xf9, 0x7f, 1, 2, 3, 4, 5, 6, 7, 8, 0xfa, 0x7f, 2, 9, 9, 0xfd, 0x7f, 1, 2, 3, 4, 0x40, 7,
        ]
        let decoded = try later.withUnsafeBytes { try PayloadStateCodec.decode($0, id: id) }
        #expect(decoded.state.revision == 7)
    }

    /// A downgrade would leave out what the newer version cannot do without.
    @Test func aFormatThatThisVersionDoesNotKnowIsRefusedByName() throws {
        let id = try PayloadID(normalizing: "x")
        var message = PayloadTracker_V1_PayloadState()
        message.revision = 7
        for (format, isKnown) in [(0, true), (1, true), (2, false), (3, false)] as [(UInt32, Bool)] {
            message.needsFormat = format
            let bytes = try message.serializedBytes() as [UInt8]
            do {
                let decoded = try bytes.withUnsafeBytes { try PayloadStateCodec.decode($0, id: id) }
                #expect(isKnown && decoded.state.revision == 7)
            } catch {
                #expect(!isKnown && "\(error)".contains("format \(format), and this program knows formats up to 1"))
            }
        }
    }

    @Test func damagedBytesAreRefusedOrReadAndNeverTrap() throws {
        var random = SplitMix64(seed: 7)
        var state = PayloadState(id: try PayloadID(normalizing: "x"))
        for number in 0..<20 {
            let entry = StatusEntry(date: Timestamp(microseconds: 1), status: .failure, rawStatus: Text("w\(number)"))
            let message = StatusMessage(
                payloadID: state.id,
                service: Text("s\(number % 3)"),
                entry: entry,
                account: "a"
            )
            _ = try state.fold(message, rules: PayloadRules())
        }
        let bytes = PayloadStateCodec.encode(state, timerAt: Timestamp(microseconds: 0))
        var refused = 0
        for _ in 0..<20_000 {
            var damaged = bytes
            for _ in 0...random.below(3) { damaged[random.below(damaged.count)] = UInt8(random.below(256)) }
            if random.oneIn(3) { damaged.removeLast(random.below(damaged.count)) }
            do {
                _ = try damaged.withUnsafeBytes { try PayloadStateCodec.decode($0, id: state.id) }
            } catch {
                refused += 1
            }
        }
        #expect(refused > 1_000)
    }

    @Test func bytesOfAnotherProgramAreRefusedNotTrusted() throws {
        let id = try PayloadID(normalizing: "x")
        for bytes: [UInt8] in [[0xff, 0xff], [0x0a, 0x02, 0x0a, 0x00], Array("hello".utf8)] {
            #expect(throws: (any Error).self) { try bytes.withUnsafeBytes { try PayloadStateCodec.decode($0, id: id) } }
        }
    }
}
