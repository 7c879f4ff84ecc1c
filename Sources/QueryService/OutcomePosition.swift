/// How far a reader of outcomes is: the offset to read next of each partition of their topic.
///
/// As the id of a server-sent event: the offsets in base 36, in the order of their partitions, with dots between them.
public struct OutcomePosition: Hashable, Sendable, CustomStringConvertible {
    public private(set) var nextOffsets: [Int64]

    /// More partitions than any topic of outcomes has.
    private static let maxPartitions = 10_000

    /// - Parameter nextOffsets: by partition.
    public init(nextOffsets: [Int64]) { self.nextOffsets = nextOffsets }

    /// Nil: not such an id.
    public init?(_ text: String) {
        let words = text.split(separator: ".", maxSplits: Self.maxPartitions, omittingEmptySubsequences: false)
        guard words.count <= Self.maxPartitions else { return nil }
        var offsets: [Int64] = []
        for word in words {
            // `Int64` alone would take signs and capitals, too: one position has one id.
            guard word.utf8.allSatisfy(\.isBase36Digit), let offset = Int64(word, radix: 36) else { return nil }
            offsets.append(offset)
        }
        nextOffsets = offsets
    }

    public var description: String { nextOffsets.map { String($0, radix: 36) }.joined(separator: ".") }

    /// Moves past a record, and says whether it was still to be read.
    public mutating func advance(past offset: Int64, of partition: Int32) -> Bool {
        let index = Int(partition)
        guard nextOffsets.indices.contains(index), offset >= nextOffsets[index] else { return false }
        nextOffsets[index] = offset + 1
        return true
    }

    /// A topic that has got more partitions since: those are read from their beginning.
    public func padded(to partitionCount: Int) -> OutcomePosition {
        OutcomePosition(
            nextOffsets: nextOffsets + Array(repeating: 0, count: max(partitionCount - nextOffsets.count, 0))
        )
    }

    /// Whether every partition is as far as in `other`, or further.
    public func isAtLeast(_ other: OutcomePosition) -> Bool {
        zip(nextOffsets, other.nextOffsets).allSatisfy { $0 >= $1 }
    }
}

extension UInt8 {
    fileprivate var isBase36Digit: Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self)
    }
}
