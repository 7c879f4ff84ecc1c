import Foundation

/// What the place that text is printed to can show.
struct Terminal {
    /// Whether colours may be used: on a terminal, unless the user wants none (`NO_COLOR`).
    let hasColor: Bool
    /// Characters a line; nil when lines may be as long as they like, as in a file.
    let width: Int?

    static var standardOutput: Terminal {
        guard isatty(STDOUT_FILENO) == 1 else { return Terminal(hasColor: false, width: nil) }
        let environment = ProcessInfo.processInfo.environment
        let wantsColor = environment["NO_COLOR", default: ""].isEmpty && environment["TERM"] != "dumb"
        var size = winsize()
        let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        return Terminal(hasColor: wantsColor, width: isKnown ? Int(size.ws_col) : nil)
    }

    enum Color: Int {
        case red = 31
        case green = 32
        case yellow = 33
        case gray = 90

        /// For a word that says how a payload or a service is doing.
        init?(state word: String) {
            switch word {
            case "completed", "success": self = .green
            case "failed", "failure", "invalid": self = .red
            case "stalled": self = .yellow
            case "open", "received", "processing": self = .gray
            default: return nil
            }
        }
    }

    /// A line that does not wrap.
    func fit(_ line: String) -> String {
        guard let width, line.count > width else { return line }
        return line.prefix(max(0, width - 1)) + "…"
    }

    func paint(_ text: String, _ color: Color?) -> String {
        guard hasColor, let color else { return text }
        return "\u{1B}[\(color.rawValue)m\(text)\u{1B}[0m"
    }
}
