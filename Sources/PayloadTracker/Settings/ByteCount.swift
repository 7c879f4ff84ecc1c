/// Numbers of bytes as people write them in settings: `4096`, `512KiB`, `64MiB`, `2GiB`.
enum ByteCount {
    private static let units: [(name: String, bytes: Int)] = [
        ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1),
    ]

    static func parse(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int(digits), let unit = units.first(where: { $0.name == text.dropFirst(digits.count) }) else {
            return nil
        }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: unit.bytes)
        return overflow ? nil : bytes
    }

    /// The number in the largest unit that it is a whole number of.
    static func text(_ bytes: Int) -> String {
        guard bytes != 0, let unit = units.first(where: { bytes % $0.bytes == 0 }) else { return "0" }
        return "\(bytes / unit.bytes)\(unit.name)"
    }
}
