/// A payload's id, normalised (contract, section 2): trimmed, and a UUID in any form as 32 lower-case hex digits.
public struct PayloadID: Hashable, Sendable, CustomStringConvertible {
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

    /// Normalises an id in any form that a producer or a person may give it.
    public init(normalizing raw: String) throws(Refusal) {
        let trimmed = raw.trimmingWhitespace()
        if trimmed.isEmpty { throw .missing }
        if let (high, low) = PayloadID.uuid(trimmed) {
            form = .uuid(high: high, low: low)
            return
        }
        if trimmed.isNullWord || trimmed == "-1" { throw .bad("\"\(trimmed)\" is not a payload id") }
        if trimmed.utf8.count > PayloadID.maxBytes {
            throw .bad("the payload id has \(trimmed.utf8.count) bytes, more than \(PayloadID.maxBytes)")
        }
        form = .text(Text(trimmed))
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
    private static func uuid(_ text: String) -> (UInt64, UInt64)? {
        var text = text
        return text.withUTF8 { bytes -> (UInt64, UInt64)? in
            var bytes = bytes[...]
            if bytes.first == UInt8(ascii: "{") {
                guard bytes.last == UInt8(ascii: "}") else { return nil }
                bytes = bytes.dropFirst().dropLast()
            }
            guard bytes.count == 32 || bytes.count == 36 else { return nil }
            let dashed = bytes.count == 36
            var halves: (UInt64, UInt64) = (0, 0)
            var digits = 0
            for (offset, byte) in bytes.enumerated() {
                if dashed && (offset == 8 || offset == 13 || offset == 18 || offset == 23) {
                    guard byte == UInt8(ascii: "-") else { return nil }
                    continue
                }
                let digit: UInt8
                switch byte {
                case 48...57: digit = byte - 48
                case 97...102: digit = byte - 87
                case 65...70: digit = byte - 55
                default: return nil
                }
                if digits < 16 {
                    halves.0 = halves.0 << 4 | UInt64(digit)
                } else {
                    halves.1 = halves.1 << 4 | UInt64(digit)
                }
                digits += 1
            }
            return halves
        }
    }

    private static func writeHex(_ high: UInt64, _ low: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
        for index in 0..<32 {
            let half = index < 16 ? high : low
            let digit = UInt8(truncatingIfNeeded: half >> (60 - UInt64(index % 16) * 4)) & 15
            buffer[index] = digit < 10 ? digit + 48 : digit + 87
        }
    }
}

extension String {
    /// `None` and `null`, which some producers send for nothing.
    var isNullWord: Bool {
        utf8.count == 4 && (lowercased() == "none" || lowercased() == "null")
    }

    /// Without Unicode white space at either end.
    func trimmingWhitespace() -> String {
        // The usual case is that there is nothing to trim: printable ASCII at both ends.
        guard let first = utf8.first, let last = utf8.last else { return self }
        if (0x21...0x7e).contains(first) && (0x21...0x7e).contains(last) { return self }
        var scalars = unicodeScalars[...]
        while let scalar = scalars.first, scalar.properties.isWhitespace { scalars.removeFirst() }
        while let scalar = scalars.last, scalar.properties.isWhitespace { scalars.removeLast() }
        return String(scalars)
    }
}
