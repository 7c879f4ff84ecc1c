import Foundation
import PayloadModel
import Testing

/// A value is JSON as a whole or it is put aside: nothing that is broken is half read, nothing that is right is lost.
@Suite struct JSONValidityTests {
    private let decode = Decoding()

    /// In the manner of JSONTestSuite (Seriot, "Parsing JSON is a Minefield", 2016): valid values.
    private static let valid = [
        "[]", "[ ]", "{}", "{ }", "[[]   ]", "[\"\"]", "[false]", "[null, 1, \"1\", {}]", "[null]", "[1\n]", " [1]",
        "[1,null,null,null,2]",
        "[2] ", "[123e65]", "[0e+1]", "[0e1]", "[ 4]",
        "[-0.000000000000000000000000000000000000000000000000000000000001]", "[20e1]", "[-0]",
        "[-123]", "[-1]", "[1E22]", "[1E-2]", "[1E+2]", "[123e45]", "[123.456e78]", "[1e-2]", "[1e+2]", "[123.456789]",
        "[1e400]", "[-1e400]",
        "[123456789012345678901234567890]", "[0.1e99999999999999]", "[-9223372036854775809]", "[18446744073709551616]",
        "{\"asd\":\"sdf\"}", "{\"a\":\"b\",\"a\":\"c\"}", "{\"\":0}", "{\"foo\\u0000bar\": 42}",
        "{ \"min\": -1.0e+28, \"max\": 1.0e+28 }",
        "{\"a\":[]}", "{\n\"a\": \"b\"\n}", "[\"\\u0060\\u012a\\u12AB\"]", "[\"\\uD801\\udc37\"]",
        "[\"\\ud83d\\ude39\\ud83d\\udc8d\"]",
        "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "[\"\\\\u0000\"]", "[\"a/*b*/c/*d//e\"]", "[\"\\\\a\"]", "[\"\\u0012\"]",
        "[\"\\uFFFF\"]", "[\"\u{10FFFF}\"]",
        "[\"\u{FFFF}\"]", "[\"\\u0000\"]", "[\"\u{20AC}\u{1D11E}\"]", "[\"\u{7F}\"]", "[\"\u{2028}\u{2029}\"]", "\"\"",
        "\" \"", "42", "-0.1",
        "null", "true", "false", "\t[]\r\n", "[\"\\uDBFF\\uDFFE\"]", "[\"\u{FEFF}\"]",
    ]

    /// In the same manner: what is no JSON.
    private static let invalid = [
        "", " ", "\n", "[1 true]", "[\"\": 1]", "[\"\"],", "[,1]", "[1,,2]", "[\"x\",,]", "[\"x\"]]", "[\"\",]",
        "[\"x\"", "[x", "[3[4]]", "[1:2]",
        "[,]", "[-]", "[   , \"\"]", "[\"a\",\n4\n,1,", "[1,]", "[1,\n1\n,1", "[\"\u{0B}a\"\\f]", "[*]", "[1,",
        "[fals]", "[nul]", "[tru]", "[True]",
        "[nulll]", "[truefalse]", "[true false]", "[++1234]", "[+1]", "[+Inf]", "[-01]", "[-1.0.]", "[-2.]", "[-NaN]",
        "[.-1]", "[.2e-3]", "[0.1.2]",
        "[0.3e+]", "[0.3e]", "[0.e1]", "[0e+]", "[0e]", "[0E+]", "[1.0e+]", "[1.0e-]", "[1.0e]", "[1 000.0]", "[1eE2]",
        "[2.e+3]", "[2.e-3]", "[2.e3]",
        "[9.e+]", "[Inf]", "[NaN]", "[1+2]", "[0x1]", "[0x42]", "[Infinity]", "[0e+-1]", "[-123.123foo]", "[123\u{E5}]",
        "[1ea]", "[-1x]", "[1.2a-3]",
        "[1.8011670033376514H-308]", "[012]", "[-012]", "[00]", "[1.]", "[\u{FF11}]", "[-Infinity]", "[-foo]", "[- 1]",
        "[1_000]", "[1\u{0}]",
        "{\"x\", null}", "{\"x\"::\"b\"}", "{\u{1F1E8}\u{1F1ED}}", "{\"a\":\"a\" 123}", "{key: 'value'}", "{\"a\" b}",
        "{:\"b\"}", "{\"a\" \"b\"}", "{\"a\":",
        "{\"a\"", "{1:1}", "{9999E9999:1}", "{null:null,null:null}", "{\"id\":0,,,,,}", "{'a':0}", "{\"id\":0,}",
        "{\"a\":\"b\"}/**/", "{\"a\":\"b\"}#",
        "{\"a\":\"b\",,\"c\":\"d\"}", "{a: \"b\"}", "{\"a\":\"a", "{ \"foo\" : \"bar\", \"a\" }", "{\"a\":\"b\"}#{}",
        "{\"a\":1]", "{\"a\":1}}", "{\"a\":1}{\"b\":2}",
        "{\"a\":1} x", "{\"a\":1},", "{,}", "{]", "[}", "[\"\\uD800\\u\"]", "[\"\\uD800\\u1\"]", "[\"\\uD800\\u1x\"]",
        "[\u{E9}]", "[\"\\x00\"]",
        "[\"\\\\\\\"]", "[\"\\\u{9}\"]", "[\"\\\u{1F300}\"]", "[\"\\\"]", "[\"\\u00A\"]", "[\"\\uD834\\uDd\"]",
        "[\"\\a\"]", "[\"\\uqqqq\"]", "[\"\\", "[\"\\u",
        "[\\u0020\"asd\"]", "[\\n]", "\"", "['single quote']", "abc", "[\"\\", "[\"a\u{0}a\"]", "[\"new\nline\"]",
        "[\"\t\"]", "\"\\UA66D\"", "<.>", "[<null>]",
        "[1]x", "[1]]", "[][]", "]", "[", "{", "}", "{}}", "1]", "],[", "1,2", "[1],[2]", "1 2", "\"a\" \"b\"", "nul",
        "truex", "-", "+1", "1.", ".5", "0 0", "[]\u{0}",
        "{}\u{0}", "\u{0}{}", "{}\u{FEFF}", "\u{FEFF}{}", "\u{FEFF}", "\u{C}[]", "[\u{C}]", "\u{A0}[]", "[]\u{2028}",
        "{\"\u{1}\":1}", "{\"\\q\":1}", "{\"a\":1 \"b\":2}",
        "{\"a\":{\"b\":[1,{\"c\":tru}]}}", "{\"a\":{\"b\":[1,2}}", "\"\\uD800\"", "\"\\uDC00\"", "\"\\uD800\\uD800\"",
        "\"\\uDC00\\uD800\"", "\"\\uD800x\"",
    ]

    @Test("Every valid value is taken as JSON: big numbers, odd escapes and odd space in unknown fields too")
    func validValues() throws {
        for json in JSONValidityTests.valid {
            #expect(JSONGrammar.judge(Array(json.utf8)) != .invalid, "\(json)")
            let isObject = json.contains("{") && json.first.map { " \n\t{".contains($0) } == true
            #expect(decode.reason(json) == (isObject ? .missingPayloadID : .notAnObject), "\(json)")
            #expect(try decode(with: ["unknown": json]).service == "puptoo", "\(json)")
        }
    }

    @Test("Every broken value is put aside as not-json, also where it stands in a field that is ignored")
    func invalidValues() {
        for json in JSONValidityTests.invalid {
            #expect(JSONGrammar.judge(Array(json.utf8)) == .invalid, "\(json)")
            #expect(decode.reason(json) == .notJSON, "\(json)")
            let member = Decoding.value(with: ["unknown": json])
            if JSONGrammar.judge(Array(member.utf8)) == .invalid {
                #expect(decode.reason(member) == .notJSON, "\(member)")
            }
        }
    }

    @Test("Foundation agrees with the oracle, where RFC 8259 leaves no choice")
    func oracle() {
        for json in JSONValidityTests.invalid {
            // Foundation takes a byte order mark and a lone surrogate, which the RFC leaves open, and a last comma, which
            // it does not.
            if ["\u{FEFF}", "\\uD", ",]", ",}"].contains(where: json.contains) { continue }
            let parsed = try? JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
            #expect(parsed == nil, "\(json)")
        }
    }

    @Test("What is not UTF-8 is not JSON, in a string, in a key and outside")
    func invalidUTF8() {
        for broken in [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xE0, 0x80, 0x80], [0xE2, 0x82], [0xED, 0xA0, 0x80],
            [0xED, 0xBF, 0xBF],
            [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFE], [0xFF], [0xC3, 0x28],
        ] as [[UInt8]] {
            let head = "{\"request_id\":\"a\",\"service\":\"s\",\"status\":\"success\",", tail = Array("}".utf8)
            for (open, close) in [("\"x\":\"", "\""), ("\"", "\":1"), ("\"x\":[{\"y\":\"", "\"}]"), ("\"x\":", "")] {
                let value = Array((head + open).utf8) + broken + Array(close.utf8) + tail
                #expect(decode.reason(value) == .notJSON, "\(broken)")
            }
        }
        // UTF-16 and UTF-32, with and without a byte order mark.
        for value in [
            [0x7B, 0, 0x7D, 0], [0, 0x7B, 0, 0x7D], [0xFF, 0xFE, 0x7B, 0, 0x7D, 0], [0x7B, 0, 0, 0, 0x7D, 0, 0, 0],
        ] as [[UInt8]] {
            #expect(decode.reason(value) == .notJSON)
        }
    }

    @Test("A document that was cut off at any byte is not JSON")
    func truncated() throws {
        let json = Array(
            """
            {"request_id":"0123456789abcdef0123456789abcdef","service":"puptoo","status":"success",
            "status_msg":"caf\u{E9} \\ud83d\\ude39 \\"",
            "account":12.5e3,"x":{"y":[true,false,null,-1.0e+5,"\u{1D11E}",{},[]]},"date":"2024-01-02T03:04:05Z"}
            """.utf8
        )
        #expect(decode.reason(json) == nil)
        for length in json.indices { #expect(decode.reason(Array(json[..<length])) == .notJSON, "\(length) bytes") }
    }

    @Test("1,024 levels are taken, one more is not, and no depth crashes")
    func nesting() throws {
        func arrays(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        func objects(_ depth: Int) -> String {
            String(repeating: "{\"a\":", count: depth) + "1" + String(repeating: "}", count: depth)
        }
        #expect(decode.reason(with: ["x": arrays(1_023)]) == nil)
        #expect(decode.reason(with: ["x": objects(1_023)]) == nil)
        #expect(decode.reason(with: ["x": arrays(1_024)]) == .notJSON)
        #expect(decode.reason(with: ["x": objects(1_024)]) == .notJSON)
        #expect(decode.reason(arrays(1_024)) == .notAnObject)
        #expect(decode.reason(arrays(1_025)) == .notJSON)
        let size = 1 << 20
        for text in ["[", "{\"a\":", "{\"a\":[", "]", "}", "\"", "\\", "{", "[{", "[1,", "-", "\u{0}", ","] {
            let value = Array(String(repeating: text, count: size / text.utf8.count).utf8)
            #expect(decode.reason(value) == .notJSON, "\(text)")
        }
        #expect(decode.reason(arrays(size / 2)) == .notJSON)
        #expect(decode.reason(with: ["x": "[" + String(repeating: "[],", count: 300_000) + "[]]"]) == nil)
        #expect(decode(with1MiBNumber: "1") == nil)
    }

    private func decode(with1MiBNumber digit: String) -> Refusal.Reason? {
        decode.reason(with: ["x": String(repeating: digit, count: 1_000_000)])
    }

    @Test("A decoder that has refused a value reads the next one as if nothing had been")
    func reuse() throws {
        for json in JSONValidityTests.invalid + JSONValidityTests.valid {
            _ = decode.reason(json)
            let message = try decode(with: ["account": "\"7\""])
            #expect(message.account == "7")
            #expect(message.orgID == nil)
        }
    }
}
