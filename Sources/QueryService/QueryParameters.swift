/// The query of a request. Every name has to be known: a typo must not silently ask something else.
struct QueryParameters {
    private let values: [String: String]

    init(_ query: String?, allowed: Set<String>) throws(Problem) {
        var values: [String: String] = [:]
        for pair in (query ?? "").split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = sides[0].percentDecoded, let value = (sides.count > 1 ? sides[1] : "").percentDecoded else {
                throw .badRequest("the query has broken percent-encoding in \"\(pair)\"")
            }
            guard allowed.contains(name) else {
                let known = allowed.sorted().joined(separator: ", ")
                throw .badRequest("unknown query parameter \"\(name)\"; known here: \(known.isEmpty ? "none" : known)")
            }
            guard values[name] == nil else { throw .badRequest("query parameter \(name) is given twice") }
            values[name] = value
        }
        self.values = values
    }

    func integer(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> Int? {
        guard let text = values[name] else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw .badRequest("\(name) is \"\(text)\", not a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// Such as `500ms`, `30s` or `1m`.
    func duration(_ name: String) throws(Problem) -> Duration? {
        guard let text = values[name] else { return nil }
        let units: [(String, Duration)] = [("ms", .milliseconds(1)), ("s", .seconds(1)), ("m", .seconds(60)), ("h", .seconds(3_600))]
        for (unit, length) in units where text.hasSuffix(unit) {
            guard let count = UInt32(text.dropLast(unit.count)) else { break }
            return length * Int(count)
        }
        throw .badRequest("\(name) is \"\(text)\", not a duration such as 500ms, 30s or 1m")
    }

    /// A flag whose one meaningful value is `word`.
    func flag(_ name: String, _ word: String) throws(Problem) -> Bool {
        guard let text = values[name] else { return false }
        guard text == word || text == "false" else { throw .badRequest("\(name) is \"\(text)\", not \(word)") }
        return text == word
    }
}

extension Substring {
    /// Nil: a `%` that two hex digits do not follow, or bytes that are no UTF-8.
    var percentDecoded: String? {
        guard utf8.contains(UInt8(ascii: "%")) else { return String(self) }
        var bytes: [UInt8] = []
        var rest = utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst()?.hexDigit, let low = rest.popFirst()?.hexDigit else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension UInt8 {
    fileprivate var hexDigit: UInt8? {
        switch self {
        case 48...57: self - 48
        case 65...70: self - 55
        case 97...102: self - 87
        default: nil
        }
    }
}
