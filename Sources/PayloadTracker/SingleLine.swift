/// Foreign text on one line: settings, and messages that producers wrote.
enum SingleLine {
    /// The text with every character that moves the cursor, starts a terminal's escape sequence, is invisible or turns
    /// the direction of writing shown as `\u{…}`: nobody who can write a message may draw on an operator's screen.
    static func escape(_ text: String) -> String {
        var escaped = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                escaped.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
            default:
                escaped.append(scalar)
            }
        }
        return String(escaped)
    }

    /// The escaped text, cut at `limit` characters, the last then being `…`.
    static func shorten(_ text: String, to limit: Int = 100) -> String {
        let escaped = escape(text)
        return escaped.count <= limit ? escaped : escaped.prefix(limit - 1) + "…"
    }
}
