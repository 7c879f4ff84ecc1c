import Foundation
import Logging
import Synchronization
import Testing

@testable import PayloadTracker

/// Who operates the worker reads its log, and has programs read it.
@Suite struct LogTests {
    private final class Lines: Sendable {
        private let lines = Mutex<[String]>([])

        var all: [String] { lines.withLock { $0 } }
        func append(_ line: String) { lines.withLock { $0.append(line) } }
    }

    private let lines = Lines()

    private func logger(isJSON: Bool) -> Logger {
        Logger(label: "test") { [lines] _ in
            LineLogHandler(level: .info, isJSON: isJSON) { lines.append($0) }
        }
    }

    private func event(_ level: Logger.Level, _ message: String, line: UInt) -> LogEvent {
        LogEvent(
            level: level,
            message: "\(message)",
            metadata: nil,
            source: "Test",
            file: "Test.swift",
            function: "test()",
            line: line
        )
    }

    @Test("a program gets one JSON object a line, with the fields of the line, whatever a producer wrote into it")
    func json() throws {
        logger(isJSON: true).warning("first\nsecond \"quoted\"", metadata: ["partition": "3"])
        let line = try #require(lines.all.first)
        #expect(!line.contains("\n"))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
        #expect(object["level"] == "warning")
        #expect(object["message"] == "first\nsecond \"quoted\"")
        #expect(object["partition"] == "3")
        #expect(object["time"] != nil)
    }

    @Test("people get one line, and fields after the message")
    func text() throws {
        logger(isJSON: false).error("first\nsecond", metadata: ["partition": "3"])
        #expect(try #require(lines.all.first).hasSuffix(#" ERROR first\u{a}second partition=3"#))
    }

    @Test("a broker that fails at every poll fills no disk, and how much was left out is said")
    func flood() {
        let limiter = LogLimiter()
        let start = ContinuousClock.now
        let most = LogLimiter.linesPerMinute
        let written = (0..<most + 5).count { limiter.admit(event(.warning, "no \($0)", line: 1), at: start).isWritten }
        #expect(written == most)
        #expect(limiter.admit(event(.warning, "another kind", line: 2), at: start).isWritten)
        let later = limiter.admit(event(.info, "assigned", line: 3), at: start + .seconds(60))
        #expect(later.isWritten)
        #expect(later.summaries == ["left out 5 more lines within a minute like: no \(most)"])
        let next = limiter.admit(event(.warning, "again", line: 1), at: start + .seconds(61))
        #expect(next.isWritten)
        #expect(next.summaries.isEmpty)
    }

    @Test(
        "lines about each of many partitions, and critical ones, are never left out",
        arguments: [Logger.Level.info, .notice, .critical]
    )
    func unlimited(level: Logger.Level) {
        let limiter = LogLimiter()
        let start = ContinuousClock.now
        #expect((0..<1_000).allSatisfy { limiter.admit(event(level, "\($0)", line: 1), at: start).isWritten })
    }

    @Test("the logger of the program holds back a flood")
    func loggerIsLimited() {
        let logger = logger(isJSON: false)
        for number in 0..<1_000 { logger.error("failure \(number)") }
        #expect(lines.all.count == LogLimiter.linesPerMinute)
    }
}
