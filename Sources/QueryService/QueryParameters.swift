/// The query of a request. Every name in it has to be known and may come once: a typo must not silently ask something
/// else.
struct QueryParameters {
    private let values: [String: String]

    /// - Parameter query: what follows the `?`, still percent-encoded.
    init(_ query: String?, allowed: Set<String> = []) throws(Problem) {
        var values: [String: String] = [:]
        for pair in (query ?? "").split(separator: "&") {
            let end = pair.firstIndex(of: "=") ?? pair.endIndex
            guard let name = pair[..<end].percentDecoded,
                let value = QueryParameters.value(of: name, pair[end...].dropFirst())
            else {
                throw .badRequest("the query has broken percent-encoding in \"\(pair)\"")
            }
            guard allowed.contains(name) else {
                let known = allowed.isEmpty ? "none" : allowed.sorted().joined(separator: ", ")
                throw .badRequest("unknown query parameter \"\(name)\"; known here: \(known)")
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw .badRequest("query parameter \(name) is given more than once")
            }
        }
        self.values = values
    }

    /// A plus is a space, as forms and most clients write it. In a date it is a zone's to whoever types one, but behind the day.
    private static func value(of name: String, _ text: Substring) -> String? {
        let isDate = ["since", "until"].contains(name) || name.hasPrefix("date_") || name.hasPrefix("created_at_")
        guard isDate else { return text.replacing("+", with: " ").percentDecoded }
        return text.replacing(#/^(\d{4}-\d{2}-\d{2})\+/#) { "\($0.1) " }.percentDecoded
    }

    /// A parameter's value as it was given.
    func text(_ name: String) -> String? { values[name] }

    /// Values of those of the parameters that are given, by name.
    func texts(_ names: Set<String>) -> [String: String] { values.filter { names.contains($0.key) } }

    /// A whole number in decimal digits; nil when it is not given.
    func integer(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> Int? {
        guard let text = values[name] else { return nil }
        guard text.allSatisfy(\.isDecimalDigit), let value = Int(text), range.contains(value) else {
            throw .badRequest("\(name) is \"\(text)\", not a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// A duration as the settings write it (`500ms`, `30s`, `1m`, `0`), at most `limit`; nil when it is not given.
    func duration(_ name: String, upTo limit: Duration) throws(Problem) -> Duration? {
        guard let text = values[name] else { return nil }
        if text == "0" { return .zero }
        let digits = text.prefix(while: \.isDecimalDigit)
        guard !digits.isEmpty, let unit = QueryParameters.units[text.dropFirst(digits.count)] else {
            throw .badRequest("\(name) is \"\(text)\", not a duration such as 500ms, 30s or 1m")
        }
        // What is too long for the integer is longer than any limit, too.
        return min(unit * Int(Int32(digits) ?? .max), limit)
    }

    private static let units: [Substring: Duration] = [
        "ms": .milliseconds(1), "s": .seconds(1), "m": .seconds(60), "h": .seconds(3_600), "d": .seconds(86_400),
    ]

    /// Whether a parameter is given; `word` is the only value it may have.
    func flag(_ name: String, word: String) throws(Problem) -> Bool {
        guard let text = values[name] else { return false }
        guard text == word else { throw .badRequest("\(name) is \"\(text)\"; it can only be \(word)") }
        return true
    }
}

extension Character {
    fileprivate var isDecimalDigit: Bool { isASCII && isNumber }
}
