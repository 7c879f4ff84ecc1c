/// Durations as people write them in settings: a whole number and its unit (`500ms`, `60s`, `5m`, `1h`, `7d`), or `0`.
enum DurationText {
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// What to tell someone whose text is none.
    static let hint = "a duration is a whole number with its unit, such as 500ms, 60s, 5m, 1h or 7d"

    /// Nil for anything else, such as a number without a unit: guessing the unit would be guessing what was meant.
    static func parse(_ text: String) -> Duration? {
        if text == "0" { return .zero }
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int64(digits),
            let unit = units.first(where: { $0.name == text.dropFirst(digits.count) })
        else { return nil }
        let (milliseconds, overflow) = count.multipliedReportingOverflow(by: unit.milliseconds)
        return overflow ? nil : .milliseconds(milliseconds)
    }

    /// The duration in the largest unit that it is a whole number of; what is finer than a millisecond is cut.
    static func text(_ duration: Duration) -> String {
        let milliseconds = duration.microseconds / 1000
        guard milliseconds != 0, let unit = units.first(where: { milliseconds % $0.milliseconds == 0 }) else {
            return "0"
        }
        return "\(milliseconds / unit.milliseconds)\(unit.name)"
    }
}
