import RocksStore

/// The last record of each key of a changelog, in memory.
struct HeldRecords {
    private var keys = ByteStrings()
    /// By the keys' numbers; nil: a tombstone.
    private var values: [[UInt8]?] = []
    private var valueBytes = 0

    /// Of a value, besides its bytes.
    private static let overhead = 48

    var isEmpty: Bool { values.isEmpty }

    /// What they take, about.
    var byteCount: Int { keys.byteCount + valueBytes + values.count * HeldRecords.overhead }

    mutating func set(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) {
        let number = keys.number(of: key)
        valueBytes += value?.count ?? 0
        if number == values.count {
            values.append(value.map { Array($0) })
        } else {
            valueBytes -= values[number]?.count ?? 0
            values[number] = value.map { Array($0) }
        }
    }

    mutating func removeAll() {
        keys.removeAll()
        values.removeAll(keepingCapacity: true)
        valueBytes = 0
    }

    /// By which `with` gives the records in the order of their keys.
    func sorted() -> [Int] { keys.sorted() }

    /// Gives `body` a key and its value, nil for a tombstone, valid until it returns.
    func with<Failure: Error>(
        _ number: Int,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer?) throws(Failure) -> Void
    ) throws(Failure) {
        try keys.with(number) { key throws(Failure) in
            guard let value = values[number] else { return try body(key, nil) }
            try value.span.bytes.withUnsafeBytes { value throws(Failure) in try body(key, value) }
        }
    }
}
