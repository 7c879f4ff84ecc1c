/// What instances show each other, so that nobody else can pass for one. Its text is in no description of it.
public struct PeerSecret: Sendable, Hashable {
    let text: String

    /// Nil for a text that is short enough to be guessed, or that no HTTP header can carry.
    public init?(_ text: String) {
        let isVisible = text.utf8.allSatisfy { (UInt8(ascii: "!")...UInt8(ascii: "~")).contains($0) }
        guard isVisible, PeerSecret.lengths.contains(text.utf8.count) else { return nil }
        self.text = text
    }

    public static let lengths = 16...256

    /// Takes as long for a wrong text as for the right one of its length, so that time does not tell how much of it is right.
    func matches(_ other: String) -> Bool {
        guard other.utf8.count == text.utf8.count else { return false }
        var difference: UInt8 = 0
        for (mine, theirs) in zip(text.utf8, other.utf8) { difference |= mine ^ theirs }
        return difference == 0
    }
}

extension PeerSecret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "(hidden)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: [] as [Mirror.Child]) }
}
