/// A hash that stays the same over processes and versions. It tells texts apart, not attackers from friends.
///
/// Fowler, Noll and Vo's FNV-1a with 64 bits.
struct FNV1a {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x0100_0000_01b3 }

    /// Absent and empty differ.
    mutating func add(_ text: String?) {
        add(text == nil ? 0 : 1)
        for byte in (text ?? "").utf8 { add(byte) }
    }
}
