/// RFC 8259's grammar, read byte by byte and apart from the module's parser, as the oracle for what is valid.
///
/// Two rules of our own are on top: at most 1,024 levels, and an escaped surrogate must be one of a pair (it has no UTF-8
/// otherwise).
struct JSONGrammar {
    enum Verdict { case invalid, object, other }

    private let bytes: [UInt8]
    private var index = 0

    static func judge(_ bytes: [UInt8]) -> Verdict {
        guard String(validating: bytes, as: UTF8.self) != nil else { return .invalid }
        var grammar = JSONGrammar(bytes: bytes)
        grammar.space()
        let verdict: Verdict = grammar.peek == UInt8(ascii: "{") ? .object : .other
        guard grammar.value(depth: 0) else { return .invalid }
        grammar.space()
        return grammar.index == bytes.count ? verdict : .invalid
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard let byte = peek, UInt32(byte) == character.value else { return false }
        index += 1
        return true
    }

    private mutating func space() {
        while skip(" ") || skip("\t") || skip("\n") || skip("\r") {}
    }

    private mutating func word(_ word: String) -> Bool {
        for scalar in word.unicodeScalars {
            guard skip(scalar) else { return false }
        }
        return true
    }

    private mutating func value(depth: Int) -> Bool {
        switch peek {
        case UInt8(ascii: "{"): return depth < 1_024 && members(depth: depth + 1)
        case UInt8(ascii: "["): return depth < 1_024 && elements(depth: depth + 1)
        case UInt8(ascii: "\""): return string()
        case UInt8(ascii: "t"): return word("true")
        case UInt8(ascii: "f"): return word("false")
        case UInt8(ascii: "n"): return word("null")
        default: return number()
        }
    }

    private mutating func members(depth: Int) -> Bool {
        index += 1
        space()
        if skip("}") { return true }
        while true {
            space()
            guard peek == UInt8(ascii: "\""), string() else { return false }
            space()
            guard skip(":") else { return false }
            space()
            guard value(depth: depth) else { return false }
            space()
            if skip("}") { return true }
            guard skip(",") else { return false }
        }
    }

    private mutating func elements(depth: Int) -> Bool {
        index += 1
        space()
        if skip("]") { return true }
        while true {
            space()
            guard value(depth: depth) else { return false }
            space()
            if skip("]") { return true }
            guard skip(",") else { return false }
        }
    }

    private mutating func digits() -> Bool {
        let start = index
        while let byte = peek, (48...57).contains(byte) { index += 1 }
        return index > start
    }

    private mutating func number() -> Bool {
        _ = skip("-")
        guard skip("0") || digits() else { return false }
        if skip("."), !digits() { return false }
        if skip("e") || skip("E") {
            if !skip("+") { _ = skip("-") }
            return digits()
        }
        return true
    }

    private mutating func hex() -> UInt32? {
        guard index + 4 <= bytes.count else { return nil }
        var code: UInt32 = 0
        for byte in bytes[index..<(index + 4)] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            code = code << 4 | UInt32(digit)
        }
        index += 4
        return code
    }

    private mutating func string() -> Bool {
        index += 1
        while let byte = peek {
            index += 1
            if byte == UInt8(ascii: "\"") { return true }
            if byte < 0x20 { return false }
            guard byte == UInt8(ascii: "\\") else { continue }
            guard let escaped = peek else { return false }
            index += 1
            if escaped == UInt8(ascii: "u") {
                guard let code = hex(), !(0xDC00...0xDFFF).contains(code) else { return false }
                if (0xD800...0xDBFF).contains(code) {
                    guard skip("\\"), skip("u"), let low = hex(), (0xDC00...0xDFFF).contains(low) else { return false }
                }
            } else if !"\"\\/bfnrt".utf8.contains(escaped) {
                return false
            }
        }
        return false
    }
}
