import Testing
import SeededRandom

@testable import PayloadModel

/// What is seen on the bytes of a message, against the same seen on strings.
@Suite struct RawTextTests {
    /// Gives the text's bytes to `body` as a parser would.
    private func raw<Result>(_ text: String, _ body: (RawText) throws -> Result) rethrows -> Result {
        try Array(text.utf8).withUnsafeBytes { try body(RawText(bytes: $0)) }
    }

    @Test("A UUID with any other byte at any place is an id, and the same UUID only where the byte is the same digit")
    func uuidByteByByte() throws {
        for form in ["0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef"] {
            let digits = form.filter(\.isHexDigit)
            for place in form.utf8.indices {
                for byte in UInt8(0x21)..<0x7f {
                    var changed = Array(form.utf8)
                    changed[form.utf8.distance(from: form.startIndex, to: place)] = byte
                    let text = String(decoding: changed, as: UTF8.self)
                    let isDash = form.utf8[place] == UInt8(ascii: "-")
                    let isUUID = isDash ? byte == UInt8(ascii: "-") : Character(Unicode.Scalar(byte)).isHexDigit
                    let expected = isUUID ? text.filter(\.isHexDigit).lowercased() : text
                    let id = try raw(text) { try PayloadID(normalizing: $0) }
                    #expect(id.description == expected, "\(text)")
                    #expect(id == (try PayloadID(normalizing: text)), "\(text)")
                    #expect(!isUUID || id.description.count == digits.count)
                }
            }
        }
    }

    @Test("Ids are in the order of their bytes")
    func order() throws {
        let texts = [
            "", "0", "0123456789abcdef0123456789abcdee", "0123456789abcdef0123456789abcdef",
            "0123456789abcdef0223456789abcdef",
            "7fffffffffffffffffffffffffffffff", "80000000000000000000000000000000", "9", "a", "x", "\u{e9}",
        ].dropFirst()
        for a in texts {
            for b in texts {
                let (first, second) = (try PayloadID(normalizing: a), try PayloadID(normalizing: b))
                #expect((first < second) == (Text(a) < Text(b)), "\(a) \(b)")
            }
        }
    }

    @Test(
        "Whether there is anything to trim, and to put in lower case",
        arguments: [
            "", "a", " a", "a\t", "A", "a b", "aZ", "z[`{", "\u{e9}", "\u{a0}a", "a\u{2003}", "\u{c9}b", "@",
            "a\u{c9}c",
        ]
    )
    func plain(text: String) {
        raw(text) { raw in
            // What looks plain is; what does not may be, too.
            #expect(!raw.isTrimmed || text.trimmingWhitespace() == text)
            #expect(!raw.isLowercase || text.lowercased() == text)
            #expect(raw.string == text)
        }
        #expect(raw("abc-1_2 3") { $0.isTrimmed && $0.isLowercase })
        #expect(Text(text).lowercased().string == text.lowercased())
    }

    @Test("A cached text is the text that was asked for, however many share a place")
    func cache() {
        let cache = TextCache()
        var random = SplitMix64(seed: 4)
        for _ in 0..<20_000 {
            // Few different ends and middles, so that many meet; more texts than places.
            let length = Int.random(in: 0...70, using: &random)
            let text = String((0..<length).map { _ in "ab\u{e9}".randomElement(using: &random) ?? "a" })
            let cached = raw(text) { cache.text($0.bytes) }
            #expect(Array(cached.string.utf8) == Array(text.utf8))
        }
    }

    @Test("The words of a vocabulary are found by all of their bytes")
    func vocabulary() {
        let vocabulary = StatusVocabulary(aliases: [
            "Fertig": .success, "": .failure, "error": .invalid, "success": .failure,
        ])
        func status(_ word: String) -> Status? { raw(word) { vocabulary.entry(of: $0.bytes)?.0 } }
        #expect(status("fertig") == .success)
        #expect(status("Fertig") == nil)
        #expect(status("error") == .invalid)
        #expect(status("success") == .success)
        #expect(status("") == .failure)
        #expect(status("errox") == nil)
        #expect(status(String(repeating: "x", count: 300)) == nil)
        for (word, expected) in StatusVocabulary.defaultAliases { #expect(word == "error" || status(word) == expected) }
    }
}
