/// A payload's id, normalised (contract, section 2): trimmed, and a UUID in any form as 32 lower-case hex digits.
public struct PayloadID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Nearly every id is a UUID: kept as its 128 bits it needs no allocation and hashes fast.
    private enum Form: Hashable, Sendable {
        case uuid(high: UInt64, low: UInt64)
        case text(Text)
    }

    private let form: Form

    /// The greatest length of an id in UTF-8 bytes.
    public static let maxBytes = 256

    public enum Refusal: Error, Hashable, CustomStringConvertible {
        case missing
        case bad(String)

        public var description: String {
            switch self {
            case .missing: "the payload id is empty"
            case .bad(let detail): detail
            }
        }
    }

    private init(form: Form) { self.form = form }

    /// Normalises an id in any form that a producer or a person may give it.
    public init(normalizing raw: String) throws(Refusal) {
        let trimmed = raw.trimmingWhitespace()
        if trimmed.isEmpty { throw .missing }
        var text = trimmed
        if let (high, low) = text.withUTF8({ PayloadID.uuid(UnsafeRawBufferPointer($0)) }) {
            form = .uuid(high: high, low: low)
            return
        }
        if trimmed.isNullWord || trimmed == "-1" { throw .bad("\"\(trimmed)\" is not a payload id") }
        if trimmed.utf8.count > PayloadID.maxBytes {
            throw .bad("the payload id has \(trimmed.utf8.count) bytes, more than \(PayloadID.maxBytes)")
        }
        form = .text(Text(trimmed))
    }

    /// The same from the bytes of a JSON string, of which no `String` is made where they are a UUID.
    init(normalizing raw: RawText) throws(Refusal) {
        if let (high, low) = PayloadID.uuid(raw.bytes) {
            self.init(form: .uuid(high: high, low: low))
        } else {
            try self.init(normalizing: raw.string)
        }
    }

    public var description: String {
        switch form {
        case .uuid(let high, let low):
            String(unsafeUninitializedCapacity: 32) { buffer in
                PayloadID.writeHex(high, low, into: UnsafeMutableRawBufferPointer(buffer))
                return 32
            }
        case .text(let text): text.string
        }
    }

    /// The order of the ids' bytes.
    public static func < (a: PayloadID, b: PayloadID) -> Bool {
        if case .uuid(let highA, let lowA) = a.form, case .uuid(let highB, let lowB) = b.form {
            return (highA, lowA) < (highB, lowB)
        }
        return Text(a.description) < Text(b.description)
    }

    /// The normalised id's UTF-8, which is its key in topics and in the store.
    public func withUTF8<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch form {
        case .uuid(let high, let low):
            var hex: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
            withUnsafeMutableBytes(of: &hex) { PayloadID.writeHex(high, low, into: $0) }
            return try withUnsafeBytes(of: hex, body)
        case .text(let text):
            return try text.withUTF8(body)
        }
    }

    /// Eight digits, then dashes at the four usual places or at none, in braces or not.
    private static func uuid(_ text: UnsafeRawBufferPointer) -> (UInt64, UInt64)? {
        var text = text
        if text.first == UInt8(ascii: "{") {
            guard text.count > 1, text.last == UInt8(ascii: "}") else { return nil }
            text = UnsafeRawBufferPointer(rebasing: text[1..<text.count - 1])
        }
        let digits = { (offset: Int) in text.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        let quads = { (offset: Int) in UInt64(text.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
        switch text.count {
        case 32: return uuid(digits(0), digits(8), digits(16), digits(24))
        case 36:
            guard [8, 13, 18, 23].allSatisfy({ text[$0] == UInt8(ascii: "-") }) else { return nil }
            return uuid(digits(0), quads(9) | quads(14) << 32, quads(19) | quads(24) << 32, digits(28))
        default: return nil
        }
    }

    /// Of four times eight hex digits, as they lie in memory.
    private static func uuid(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64) -> (UInt64, UInt64)? {
        guard let a = value(ofHex: a), let b = value(ofHex: b), let c = value(ofHex: c), let d = value(ofHex: d) else {
            return nil
        }
        return (a << 32 | b, c << 32 | d)
    }

    private static let eachByte: UInt64 = 0x0101_0101_0101_0101

    /// The value of eight hex digits, all at once: the bytes of a word are calculated with side by side. Nil: they are not all hex digits.
    private static func value(ofHex digits: UInt64) -> UInt64? {
        // Of capital and small letters the bit of 0x40 is set, and of digits it is not.
        let letters = digits >> 6 & eachByte
        let nibbles = (digits & (eachByte * 0x0f)) &+ letters &* 9
        // Back again: right only for what was a digit in the first place, given that letters may be either.
        let isBelow16 = nibbles & (eachByte * 0xf0) == 0
        guard isBelow16, hex(ofNibbles: nibbles) == digits | letters &* 0x20 else { return nil }
        var value = UInt64(bigEndian: nibbles)
        value = (value | value >> 4) & 0x00ff_00ff_00ff_00ff
        value = (value | value >> 8) & 0x0000_ffff_0000_ffff
        return (value | value >> 16) & 0xffff_ffff
    }

    /// Eight bytes below 16 as small hex digits.
    private static func hex(ofNibbles nibbles: UInt64) -> UInt64 {
        let letters = (nibbles &+ eachByte * 6) >> 4 & eachByte
        return nibbles &+ eachByte * 0x30 &+ letters &* 0x27
    }

    private static func writeHex(_ high: UInt64, _ low: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
        for (index, part) in [high >> 32, high & 0xffff_ffff, low >> 32, low & 0xffff_ffff].enumerated() {
            var value = (part | part << 16) & 0x0000_ffff_0000_ffff
            value = (value | value << 8) & 0x00ff_00ff_00ff_00ff
            value = (value | value << 4) & 0x0f0f_0f0f_0f0f_0f0f
            let digits = hex(ofNibbles: value.bigEndian)
            buffer.storeBytes(of: digits, toByteOffset: index * 8, as: UInt64.self)
        }
    }
}

extension String {
    /// `None` and `null`, which some producers send for nothing.
    var isNullWord: Bool {
        // None and null begin with the same letter.
        utf8.count == 4 && utf8.first.map { $0 | 0x20 } == UInt8(ascii: "n")
            && (lowercased() == "none" || lowercased() == "null")
    }

    /// Without Unicode white space at either end.
    func trimmingWhitespace() -> String {
        // The usual case is that there is nothing to trim: printable ASCII at both ends.
        guard let first = utf8.first, let last = utf8.last else { return self }
        if RawText.isPrintable(first) && RawText.isPrintable(last) { return self }
        var scalars = unicodeScalars[...]
        while let scalar = scalars.first, scalar.properties.isWhitespace { scalars.removeFirst() }
        while let scalar = scalars.last, scalar.properties.isWhitespace { scalars.removeLast() }
        return String(scalars)
    }
}
