import PayloadModel
import StreamRuntime
import Synchronization
import Testing

@testable import PayloadTopology

/// The last hour must not go on telling of a failure that is long past, nor forget one of a minute ago.
@Suite struct PayloadActivityTests {
    @Test("What was told counts for an hour, and since the start")
    func hour() {
        let time = MovableTime()
        let activity = PayloadActivity(clock: WallClock { time.microseconds })
        activity.addDeadLetter(.badDate)
        time.pass(minutes: 30)
        activity.addDeadLetter(.badDate)
        activity.addDeadLetter(.notJSON)
        #expect(activity.lastHour.deadLetters == [.badDate: 2, .notJSON: 1])
        time.pass(minutes: 31)
        #expect(activity.lastHour.deadLetters == [.badDate: 1, .notJSON: 1])
        time.pass(minutes: 60)
        activity.addDeadLetter(.tooLarge)
        #expect(activity.lastHour.deadLetters == [.tooLarge: 1])
        #expect(activity.sinceStart.deadLetters == [.badDate: 2, .notJSON: 1, .tooLarge: 1])
    }

    @Test("Services are told apart up to a number, whatever producers send")
    func manyServices() throws {
        let activity = PayloadActivity()
        for number in 0..<1_500 {
            var tally = PayloadActivity.Tally()
            tally.failingServices[Text("s\(number)")] = 1
            tally.outcomes[.failed] = 1
            activity.add(tally)
        }
        let counted = activity.sinceStart.failingServices
        #expect(counted.count == 1_001)
        #expect(counted["OTHERS"] == 500)
        #expect(activity.lastHour.outcomes == [.failed: 1_500])
    }
}

private final class MovableTime: Sendable {
    private let time = Atomic<Int64>(1_000_000_000_000)

    var microseconds: Int64 { time.load(ordering: .sequentiallyConsistent) }

    func pass(minutes: Int64) { time.add(minutes * 60_000_000, ordering: .sequentiallyConsistent) }
}
