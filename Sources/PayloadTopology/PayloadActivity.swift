import PayloadModel
import StreamRuntime
import Synchronization

/// What this process has told: outcome events that were committed, and dead letters. Counts since it started, and those of the last
/// hour by the minute; nothing of it survives the process. Thread-safe.
public final class PayloadActivity: Sendable {
    /// How often something was told.
    public struct Tally: Sendable {
        public var outcomes: [Outcome: Int] = [:]
        /// By the services whose stages failed a payload: an event may count for several.
        public var failingServices: [Text: Int] = [:]
        public var deadLetters: [Refusal.Reason: Int] = [:]

        var isEmpty: Bool { outcomes.isEmpty && deadLetters.isEmpty }

        mutating func count(_ event: OutcomeEvent) {
            outcomes[event.outcome, default: 0] += 1
            for service in Set(event.failedStages.map(\.service)) { countFailure(of: service, 1) }
        }

        /// Services are told apart up to a number, whatever producers send.
        private mutating func countFailure(of service: Text, _ number: Int) {
            let isKnown = failingServices[service] != nil || failingServices.count < Tally.maxServices
            failingServices[isKnown ? service : Tally.otherServices, default: 0] += number
        }

        fileprivate mutating func add(_ other: Tally) {
            outcomes.merge(other.outcomes) { $0 + $1 }
            deadLetters.merge(other.deadLetters) { $0 + $1 }
            for (service, number) in other.failingServices { countFailure(of: service, number) }
        }

        private static let maxServices = 1_000
        /// No service is called that: names are lower-case.
        private static let otherServices: Text = "OTHERS"
    }

    private struct Table {
        var total = Tally()
        /// By minute since 1970, the last 60 and the current one.
        var minutes: [Int64: Tally] = [:]
    }

    private let table = Mutex(Table())
    private let clock: WallClock
    /// From when on it counts.
    public let startedAt: Timestamp

    private static let microsecondsPerMinute: Int64 = 60_000_000

    public init(clock: WallClock = .system) {
        self.clock = clock
        startedAt = Timestamp(microseconds: clock.now())
    }

    /// Of everything since `startedAt`.
    public var sinceStart: Tally { table.withLock { $0.total } }

    /// Of the last 60 minutes and the one that is under way.
    public var lastHour: Tally {
        let minute = currentMinute
        return table.withLock { table in
            var sum = Tally()
            for (number, tally) in table.minutes where number >= minute - 60 { sum.add(tally) }
            return sum
        }
    }

    func add(_ tally: Tally) {
        let minute = currentMinute
        table.withLock { table in
            table.total.add(tally)
            if table.minutes[minute] == nil { table.minutes = table.minutes.filter { $0.key >= minute - 60 } }
            table.minutes[minute, default: Tally()].add(tally)
        }
    }

    func addDeadLetter(_ reason: Refusal.Reason) {
        var tally = Tally()
        tally.deadLetters[reason] = 1
        add(tally)
    }

    private var currentMinute: Int64 { clock.now() / PayloadActivity.microsecondsPerMinute }
}
