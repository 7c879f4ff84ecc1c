import Foundation
import Logging

/// Writes each log event as one line on standard error: for people, or JSON for programs.
struct LineLogHandler: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    private let isJSON: Bool
    private let limiter = LogLimiter()
    private let write: @Sendable (String) -> Void

    /// The logger of the program.
    static func logger(_ settings: Settings) -> Logger {
        Logger(label: "payload-tracker") { _ in
            LineLogHandler(level: settings.logLevel, isJSON: settings.logFormat == .json)
        }
    }

    /// - Parameter write: takes each line without its end.
    init(
        level: Settings.LogLevel,
        isJSON: Bool,
        write: @escaping @Sendable (String) -> Void = StandardError.write
    ) {
        logLevel = Logger.Level(rawValue: level.rawValue) ?? .info
        self.isJSON = isJSON
        self.write = write
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let (isWritten, summaries) = limiter.admit(event)
        for summary in summaries { write(line(.warning, summary, [:])) }
        guard isWritten else { return }
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
        write(line(event.level, "\(event.message)", fields))
    }

    private func line(_ level: Logger.Level, _ message: String, _ fields: [String: String]) -> String {
        isJSON ? json(level, message, fields) : text(level, message, fields)
    }

    private func text(_ level: Logger.Level, _ message: String, _ fields: [String: String]) -> String {
        let extra = fields.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        return SingleLine.escape("\(LineLogHandler.time()) \(level.rawValue.uppercased()) \(message)\(extra)")
    }

    private func json(_ level: Logger.Level, _ message: String, _ fields: [String: String]) -> String {
        var object = fields
        object["time"] = LineLogHandler.time()
        object["level"] = level.rawValue
        object["message"] = message
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(object)).map { String(decoding: $0, as: UTF8.self) } ?? message
    }

    private static func time() -> String {
        Date().formatted(.iso8601.time(includingFractionalSeconds: true))
    }
}
