/// The keys from `lower` up to and without `upper`, in the order of their bytes; `nil` is no bound.
public struct KeyRange: Hashable, Sendable {
    /// The first key that belongs to the range, if it is there.
    public var lower: [UInt8]?
    /// The first key that no longer does.
    public var upper: [UInt8]?

    /// A range that ends before it begins is empty.
    public init(from lower: [UInt8]? = nil, upTo upper: [UInt8]? = nil) {
        self.lower = lower
        self.upper = upper
    }

    /// Every key.
    public static let all = KeyRange()

    /// The keys that start with these bytes.
    public static func prefix(_ bytes: [UInt8]) -> KeyRange {
        // The first key after them: the last byte that can grow, grown, and nothing after it.
        var next = bytes
        while let last = next.popLast() {
            if last < .max {
                return KeyRange(from: bytes, upTo: next + [last + 1])
            }
        }
        return KeyRange(from: bytes)
    }
}
