import Foundation

/// A JSON string's text where the parser has it: valid UTF-8, until the parser's next call. What most producers send needs no trimming and
/// no lower case; that is seen on the bytes, so that a `String` is made only where there is more to do.
struct RawText {
    let bytes: UnsafeRawBufferPointer

    var isEmpty: Bool { bytes.isEmpty }
    var string: String { String(validUTF8: bytes) }

    /// Whether both ends are printable ASCII, so that there is nothing to trim. False for empty text.
    var isTrimmed: Bool {
        guard let first = bytes.first, let last = bytes.last else { return false }
        return RawText.isPrintable(first) && RawText.isPrintable(last)
    }

    static func isPrintable(_ byte: UInt8) -> Bool { byte >= 0x21 && byte <= 0x7e }

    /// Whether all of it is ASCII without capital letters.
    var isLowercase: Bool {
        var others: UInt8 = 0
        for byte in bytes { others |= byte & 0x80 | (byte &- 0x41 < 26 ? 1 : 0) }
        return others == 0
    }
}

extension String {
    /// - Parameter bytes: must be valid UTF-8, which is not checked again.
    init(validUTF8 bytes: UnsafeRawBufferPointer) {
        let units = bytes.assumingMemoryBound(to: UInt8.self)
        self.init(copying: UTF8Span(unchecked: units.span))
    }
}

/// Texts that come again and again, such as the names of services and their usual words: made once and not with every message, and
/// shared by all payloads that hold them. Each has one place, which another one with the same hash takes over; so whatever producers
/// send, it stays small.
///
/// The places are memory of its own rather than an array, which would be checked for other owners and other accesses with every text.
final class TextCache {
    private let places = UnsafeMutableBufferPointer<Text?>.allocate(capacity: 1 << TextCache.bits)

    private static let bits = 10
    /// Shorter ones need no memory of their own (Swift keeps up to 15 bytes within a `String`), and longer ones seldom come twice.
    private static let lengths = 16...64

    init() { places.initialize(repeating: nil) }

    deinit {
        places.deinitialize()
        places.deallocate()
    }

    /// - Parameter bytes: valid UTF-8.
    func text(_ bytes: UnsafeRawBufferPointer) -> Text {
        guard TextCache.lengths.contains(bytes.count) else { return Text(String(validUTF8: bytes)) }
        let place = TextCache.place(of: bytes)
        if let known = places[place], known.hasBytes(bytes) { return known }
        let text = Text(String(validUTF8: bytes))
        places[place] = text
        return text
    }

    /// A multiplicative hash (Knuth, "The Art of Computer Programming", 6.4) of the ends and the middle: a collision costs a `String`.
    private static func place(of bytes: UnsafeRawBufferPointer) -> Int {
        func word(_ offset: Int) -> UInt64 { bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        let multiplier: UInt64 = 0x9e37_79b9_7f4a_7c15
        var hash = (word(0) ^ UInt64(bytes.count)) &* multiplier
        hash = (hash ^ word(bytes.count / 2 - 4)) &* multiplier
        hash = (hash ^ word(bytes.count - 8)) &* multiplier
        return Int(truncatingIfNeeded: hash >> UInt64(64 - bits))
    }
}
