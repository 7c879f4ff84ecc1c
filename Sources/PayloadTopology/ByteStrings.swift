import Foundation

/// Byte strings, each kept once and known by its number, which counts from 0 in the order in which they came. In a few pieces of memory
/// whatever their number, and found by a hash with a seed: producers choose what is in them.
struct ByteStrings {
    private var bytes: [UInt8] = []
    /// Where each string ends in `bytes`.
    private var ends: [Int] = []
    /// Numbers by hash, with linear probing; at most half of the slots are taken.
    private var slots = [Int32](repeating: ByteStrings.free, count: ByteStrings.leastSlots)

    private static let free: Int32 = -1
    private static let leastSlots = 64

    var count: Int { ends.count }

    /// What they take, about.
    var byteCount: Int {
        bytes.count + ends.count * MemoryLayout<Int>.stride + slots.count * MemoryLayout<Int32>.stride
    }

    /// The number of a string, which is added where it is not there.
    mutating func number(of string: UnsafeRawBufferPointer) -> Int {
        var slot = slot(of: string)
        while slots[slot] != ByteStrings.free {
            let number = Int(slots[slot])
            if self.with(number, { ByteStrings.areEqual($0, string) }) { return number }
            slot = (slot + 1) & (slots.count - 1)
        }
        slots[slot] = Int32(count)
        bytes.append(contentsOf: string)
        ends.append(bytes.count)
        if count * 2 > slots.count { grow() }
        return count - 1
    }

    /// Gives `body` the string of a number, valid until it returns.
    func with<Result, Failure: Error>(
        _ number: Int,
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let range = range(of: number)
        return try bytes.span.bytes.withUnsafeBytes { bytes throws(Failure) in
            try body(UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
    }

    /// All numbers, in the order of the strings' bytes.
    func sorted() -> [Int] {
        // Most are told apart by how they begin, in one comparison.
        var sorted = (0..<count).map { number in (beginning: with(number, ByteStrings.beginning), number: number) }
        sorted.sort { a, b in
            if a.beginning != b.beginning { return a.beginning < b.beginning }
            return with(a.number) { a in with(b.number) { b in ByteStrings.precedes(a, b) } }
        }
        return sorted.map(\.number)
    }

    /// Keeps the memory.
    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        for slot in slots.indices { slots[slot] = ByteStrings.free }
    }

    private func range(of number: Int) -> Range<Int> { (number == 0 ? 0 : ends[number - 1])..<ends[number] }

    private func slot(of string: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: string)
        return hasher.finalize() & (slots.count - 1)
    }

    private mutating func grow() {
        slots = [Int32](repeating: ByteStrings.free, count: slots.count * 2)
        for number in 0..<count {
            var slot = with(number) { self.slot(of: $0) }
            while slots[slot] != ByteStrings.free { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = Int32(number)
        }
    }

    private static func areEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        a.count == b.count && order(a, b) == 0
    }

    /// In the order of RocksDB's keys.
    static func precedes(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        let order = order(a, b)
        return order == 0 ? a.count < b.count : order < 0
    }

    private static func order(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int32 {
        guard let first = a.baseAddress, let second = b.baseAddress else { return 0 }
        return memcmp(first, second, min(a.count, b.count))
    }

    /// The first eight bytes as a number that is ordered like them; a shorter string is filled up with zeros.
    private static func beginning(_ string: UnsafeRawBufferPointer) -> UInt64 {
        if string.count >= 8 { return UInt64(bigEndian: string.loadUnaligned(as: UInt64.self)) }
        return string.reduce(0) { $0 << 8 | UInt64($1) } << UInt64(8 * (8 - string.count))
    }
}
