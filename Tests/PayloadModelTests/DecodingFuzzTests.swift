import PayloadModel
import Testing
import SeededRandom

/// Whatever bytes arrive, the worker neither traps nor takes for JSON what is none: each is compared with the grammar.
@Suite struct DecodingFuzzTests {
    private static let seedsOfText = [
        """
        {"request_id":"0123456789abcdef0123456789abcdef","service":"puptoo","status":"success",
        "status_msg":"caf\u{E9} \\ud83d\\ude39 \\"",
        "account":12.5e3,"x":{"y":[true,false,null,-1.0e+5,"\u{1D11E}",{},[]]},"date":"2024-01-02T03:04:05.123Z"}
        """,
        "{\"payload_id\":\"-1\",\"service\":\"a\",\"status\":\"error\",\"date\":1704164645.123456,\"source\":null}",
        "[1,-2.5e-3,[[],{}],\"\\u00e9\\\\\",null,true]", "{\"a\":{\"b\":{\"c\":[0,1,2,{\"d\":\"\\n\"}]}}}",
        "\"\\ud83d\\ude39\"", "-0.1E+2",
    ].map { Array($0.utf8) }

    private static let fragments = [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud800", "\\udc00", "0", "1", "-", "+", ".", "e", "E", "t",
        "true", "false", "null", " ", "\n", "\t",
        "\u{0}", "\u{1F}", "\u{7F}", "\u{E9}", "\u{1D11E}", "\u{FEFF}", "/", "/*", "//", "#", "'", "NaN", "{}", "[]",
        "\"\"", "\"a\":1,", ",,", "\"date\":1e",
        "00", "1e999",
    ].map { Array($0.utf8) }

    @Test("Random damage to messages", arguments: UInt64(0)..<24)
    func mutations(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let decode = Decoding()
        for _ in 0..<1_500 {
            var value = random.pick(DecodingFuzzTests.seedsOfText)
            for _ in 0..<(1 + random.below(4)) { mutate(&value, using: &random) }
            expectAgreement(decode, value, seed)
        }
    }

    @Test("Random sequences of JSON's tokens", arguments: UInt64(0)..<16)
    func tokens(seed: UInt64) {
        var random = SplitMix64(seed: seed ^ 0x70C)
        let decode = Decoding()
        for _ in 0..<1_000 {
            let value = (0..<random.below(12)).flatMap { _ in random.pick(DecodingFuzzTests.fragments) }
            expectAgreement(decode, value, seed)
            expectAgreement(decode, Array("{\"a\":".utf8) + value + Array("}".utf8), seed)
        }
    }

    @Test("Random bytes", arguments: UInt64(0)..<4)
    func bytes(seed: UInt64) {
        var random = SplitMix64(seed: seed ^ 0xB17E)
        let decode = Decoding()
        for _ in 0..<1_000 {
            let value = (0..<random.below(200)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            expectAgreement(decode, value, seed)
        }
    }

    @Test(
        "Random values in every field are taken or refused, and what is taken is normalised",
        arguments: UInt64(0)..<8
    )
    func fields(seed: UInt64) throws {
        var random = SplitMix64(seed: seed ^ 0xF1E1)
        let decode = Decoding()
        let values = [
            "null", "true", "0", "-1", "1e400", "1704164645.5", "\"\"", "\" \"", "\"None\"", "\"-1\"", "\"success\"",
            "\"ERROR\"", "[]", "{\"a\":1}",
            "\"2024-01-02T03:04:05Z\"", "\"\\u00a0\"", "\"\\u0000\"", "\"e\u{301}\u{130}\"", "\"{}\"",
            "\"\(String(repeating: "\u{130}", count: 100))\"",
        ]
        let names = [
            "request_id", "payload_id", "service", "status", "source", "account", "org_id", "inventory_id", "system_id",
            "status_msg", "date",
        ]
        for _ in 0..<1_000 {
            var members: [String: String?] = [:]
            for _ in 0..<(1 + random.below(4)) { members[random.pick(names)] = random.pick(values) }
            guard let message = try? decode(with: members) else { continue }
            for text in [message.account, message.orgID, message.inventoryID, message.systemID, message.source] {
                #expect(text?.string.isEmpty != true, "seed \(seed)")
            }
            #expect(message.service.byteCount <= 128, "seed \(seed)")
            #expect(try PayloadID(normalizing: message.payloadID.description) == message.payloadID, "seed \(seed)")
        }
    }

    private func mutate(_ value: inout [UInt8], using random: inout SplitMix64) {
        let place = random.below(value.count + 1)
        switch random.below(7) {
        case 0: value.insert(contentsOf: random.pick(DecodingFuzzTests.fragments), at: place)
        case 1: value.removeSubrange(place..<min(place + 1 + random.below(4), value.count))
        case 2 where place < value.count: value[place] ^= 1 << random.below(8)
        case 3 where place < value.count: value[place] = UInt8.random(in: .min ... .max, using: &random)
        case 4: value.removeSubrange(place...)
        case 5:
            let other = random.below(value.count + 1)
            value.insert(contentsOf: Array(value[min(place, other)..<max(place, other)]), at: place)
        default:
            let other = random.pick(DecodingFuzzTests.seedsOfText)
            value.replaceSubrange(place..., with: other[random.below(other.count)...])
        }
    }

    private func expectAgreement(_ decode: Decoding, _ value: [UInt8], _ seed: UInt64) {
        let reason = decode.reason(value)
        let isRight =
            switch JSONGrammar.judge(value) {
            case .invalid: reason == .notJSON
            case .other: reason == .notAnObject
            case .object: reason != .notJSON && reason != .notAnObject
            }
        if !isRight {
            Issue.record(
                "seed \(seed): \(reason?.rawValue ?? "taken"), of \(String(decoding: value, as: UTF8.self)) \(value)"
            )
        }
    }
}
