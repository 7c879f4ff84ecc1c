import Logging
import Synchronization

/// Lets only so many warnings and errors of one kind through, so that a broken broker or a flood of bad requests does not fill the log. A
/// kind is a line of the code that logs. What says how the worker is (info, notice) and what is critical is always let through, and so is
/// everything at debug, which is asked for. Thread-safe.
final class LogLimiter: Sendable {
    /// Lines of one kind in a minute.
    static let linesPerMinute = 30

    private struct Site: Hashable {
        var file: String
        var line: UInt
    }

    private struct Window {
        var began: ContinuousClock.Instant
        var lines = 0
        /// The first one that was held back.
        var example = ""

        var heldBack: Int { lines - LogLimiter.linesPerMinute }
    }

    private let windows = Mutex<[Site: Window]>([:])

    /// Whether the event is to be written, and what has to be said before it of those that were not.
    func admit(_ event: LogEvent, at now: ContinuousClock.Instant = .now) -> (isWritten: Bool, summaries: [String]) {
        windows.withLock { windows in
            let over = windows.filter { now - $0.value.began >= .seconds(60) }
            for site in over.keys { windows[site] = nil }
            let summaries = over.values.filter { $0.heldBack > 0 }.map {
                "left out \($0.heldBack) more lines within a minute like: \($0.example)"
            }
            guard event.level == .warning || event.level == .error else { return (true, summaries) }
            let site = Site(file: event.file, line: event.line)
            var window = windows[site] ?? Window(began: now)
            window.lines += 1
            if window.heldBack == 1 { window.example = "\(event.message)" }
            windows[site] = window
            return (window.heldBack <= 0, summaries)
        }
    }
}
