/// How names, labels and numbers are written in the Prometheus text format.
enum PrometheusText {
    /// A metric's name: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
    static func name(_ label: String) -> String { word(label, colons: true) }

    /// What stands between the braces, sorted by name so that equal dimensions are equal text.
    static func labels(_ dimensions: [(String, String)]) -> String {
        dimensions.map { (word($0.0, colons: false), escaped($0.1)) }
            .sorted { $0.0 < $1.0 }
            .map { "\($0.0)=\"\($0.1)\"" }
            .joined(separator: ",")
    }

    /// One line: a series' value now. `labels` may be empty.
    static func sample(_ name: String, _ labels: String, _ value: String) -> String {
        labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }

    private static func word(_ text: String, colons: Bool) -> String {
        let characters = text.unicodeScalars.map { scalar in
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "_": Character(scalar)
            case ":" where colons: Character(scalar)
            default: Character("_")
            }
        }
        let startsWithDigit = characters.first?.isNumber ?? true
        return (startsWithDigit ? "_" : "") + String(characters)
    }

    private static func escaped(_ value: String) -> String {
        var text = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
