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
    }

    func paint(_ text: String, _ color: Color?) -> String {
        guard hasColor, let color else { return text }
        return "\u{1B}[\(color.rawValue)m\(text)\u{1B}[0m"
    }
}
