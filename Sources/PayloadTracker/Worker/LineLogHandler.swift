import Foundation
import Logging

/// Writes each log event as one line on standard error: for people, or JSON for programs.
struct LineLogHandler: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    private let isJSON: Bool

    /// The logger of the program.
    static func logger(_ settings: Settings) -> Logger {
        Logger(label: "payload-tracker") { _ in
            LineLogHandler(level: settings.logLevel, isJSON: settings.logFormat == .json)
        }
    }

    init(level: Settings.LogLevel, isJSON: Bool) {
        logLevel = Logger.Level(rawValue: level.rawValue) ?? .info
        self.isJSON = isJSON
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
        let line = isJSON ? json(event, fields) : text(event, fields)
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }

    private func text(_ event: LogEvent, _ fields: [String: String]) -> String {
        let extra = fields.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        let level = event.level.rawValue.uppercased()
        return SingleLine.escape("\(LineLogHandler.time()) \(level) \(event.message)\(extra)")
    }

    private func json(_ event: LogEvent, _ fields: [String: String]) -> String {
        var object = fields
        object["time"] = LineLogHandler.time()
        object["level"] = event.level.rawValue
        object["message"] = "\(event.message)"
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(object)).map { String(decoding: $0, as: UTF8.self) } ?? "\(event.message)"
    }

    private static func time() -> String {
        Date().formatted(.iso8601.time(includingFractionalSeconds: true))
    }
}
