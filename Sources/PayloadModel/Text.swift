import Foundation

/// Text that a producer sent, compared, ordered and hashed by its UTF-8 bytes.
///
/// Swift's `String` compares by canonical equivalence, so two different messages could pass for one. Everything that decides
/// whether two status messages are the same, or which of them is greater, therefore goes through this type.
public struct Text: Hashable, Comparable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    public let string: String

    public init(_ string: String) { self.string = string }
    public init(stringLiteral value: String) { string = value }

    public var description: String { string }
    public var byteCount: Int { string.utf8.count }

    /// The bytes are valid during the call only.
    public func withUTF8<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withUnsafeTemporaryAllocation(byteCount: max(byteCount, 1), alignment: 1) { buffer throws(Failure) in
            buffer.copyBytes(from: string.utf8)
            return try body(UnsafeRawBufferPointer(rebasing: buffer.prefix(byteCount)))
        }
    }

    func hasBytes(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard byteCount == bytes.count else { return false }
        guard let other = bytes.baseAddress else { return true }
        return string.utf8Span.span.withUnsafeBufferPointer { own in
            own.baseAddress.map { memcmp($0, other, bytes.count) == 0 } ?? false
        }
    }

    /// In lower case, which it mostly is.
    func lowercased() -> Text {
        let isLowercase = string.utf8Span.span.withUnsafeBufferPointer {
            RawText(bytes: UnsafeRawBufferPointer($0)).isLowercase
        }
        return isLowercase ? self : Text(string.lowercased())
    }

    public static func == (a: Text, b: Text) -> Bool {
        a.byteCount == b.byteCount && order(a, b) == 0
    }

    public static func < (a: Text, b: Text) -> Bool { a.compared(to: b) < 0 }

    /// Negative, zero or positive.
    func compared(to other: Text) -> Int {
        let order = Text.order(self, other)
        return order == 0 ? byteCount - other.byteCount : Int(order)
    }

    /// Of the bytes that both have: negative, zero or positive. All at once, because this is what folding a message does most.
    private static func order(_ a: Text, _ b: Text) -> Int32 {
        // A span looks into the string where it is; `withUTF8` would have copies made, which are counted.
        a.string.utf8Span.span.withUnsafeBufferPointer { a in
            b.string.utf8Span.span.withUnsafeBufferPointer { b in
                guard let first = a.baseAddress, let second = b.baseAddress, first != second else { return 0 }
                return memcmp(first, second, min(a.count, b.count))
            }
        }
    }

    public func hash(into hasher: inout Hasher) {
        string.utf8Span.span.withUnsafeBufferPointer { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension Text? {
    /// Absent before present, then by bytes.
    static func precedes(_ a: Text?, _ b: Text?) -> Bool {
        guard let b else { return false }
        guard let a else { return true }
        return a < b
    }
}
