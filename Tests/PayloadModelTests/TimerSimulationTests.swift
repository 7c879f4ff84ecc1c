import PayloadModel
import Testing
import SeededRandom

/// Timers are all that fires without traffic: one that is too late loses an outcome, one that does not move spins for
/// ever.
@Suite struct TimerSimulationTests {
    @Test(
        "Going from timer to timer reaches every outcome that polling each second reaches, and never spins",
        arguments: UInt64(0)..<300
    )
    func timersReachTheOutcome(seed: UInt64) throws {
        var random = SplitMix64(seed: seed ^ 0x71BE)
        var given = try RandomPayload(count: 1 + random.below(6), dates: 5, using: &random)
        given.rules.completionSettle = random.pick([0, 1, 7, 60]) * 1_000_000
        given.rules.stallAfter = random.pick([0, 1, 5, 90]) * 1_000_000
        given.rules.retention = random.pick([3, 120, 400]) * 1_000_000
        var timed = try Payload { $0 = given.rules }
        var polled = timed
        for message in given.messages {
            let pause = Int64(random.below(100))
            #expect(advance(&timed, by: pause) == poll(&polled, by: pause), "seed \(seed)")
            let events = (try timed.take(message), try polled.take(message))
            #expect(events.0 == events.1, "seed \(seed)")
        }
        #expect(advance(&timed, by: 1_000) == poll(&polled, by: 1_000), "seed \(seed)")
        #expect(timed.state == polled.state, "seed \(seed)")
    }

    private func poll(_ payload: inout Payload, by seconds: Int64) -> [OutcomeEvent] {
        var events: [OutcomeEvent] = []
        for _ in 0..<seconds {
            if payload.state.isExpired(at: payload.now.advanced(byMicroseconds: 1_000_000), payload.rules) {
                payload.clock += 1
            } else if let event = payload.wait(1) {
                events.append(event)
            }
        }
        return events
    }

    /// Sleeps until each timer, as the worker does.
    private func advance(_ payload: inout Payload, by seconds: Int64) -> [OutcomeEvent] {
        var events: [OutcomeEvent] = []
        let end = payload.clock + seconds
        var firings = 0
        while !payload.state.isExpired(at: payload.now, payload.rules) {
            let timer = payload.state.nextTimer(payload.rules)
            let seconds = timer.microseconds / 1_000_000
            if seconds > end { break }
            firings += 1
            if firings > 4 {
                Issue.record("the timer fires again and again at \(timer)")
                break
            }
            payload.clock = max(payload.clock, seconds)
            if payload.state.isExpired(at: payload.now, payload.rules) { break }
            if let event = payload.wait(0) { events.append(event) }
        }
        payload.clock = end
        return events
    }

    @Test("A payload stalls when the services that it waits in have been silent too long", arguments: UInt64(0)..<300)
    func stallTimes(seed: UInt64) throws {
        var random = SplitMix64(seed: seed ^ 0x57A11)
        var given = try RandomPayload(count: 1 + random.below(6), dates: 5, using: &random)
        given.rules.stallAfter = random.pick([0, 20, 3_600]) * 1_000_000
        given.rules.completionSettle = .max
        given.rules.retention = .max
        var payload = try Payload { $0 = given.rules }
        for message in given.messages { try payload.take(message) }
        guard payload.state.outcome == .open, payload.status != .success else { return }
        let last = payload.state.changedAt
        guard let stallAfter = ReferenceModel(given.messages, given.rules).stallAfter else {
            #expect(payload.state.nextTimer(given.rules) == Timestamp(microseconds: .max), "seed \(seed)")
            return
        }
        let deadline = last.advanced(byMicroseconds: stallAfter)
        let before = deadline.advanced(byMicroseconds: -1)
        #expect(payload.state.judge(after: .time, at: before, rules: given.rules) == nil, "seed \(seed)")
        // A payload none of whose stages counts has no status to stall at.
        guard payload.state.nextTimer(given.rules) != Timestamp(microseconds: .max) else { return }
        #expect(payload.state.nextTimer(given.rules) == deadline, "seed \(seed)")
        let event = payload.state.judge(after: .time, at: deadline, rules: given.rules)
        #expect(event?.outcome == .stalled, "seed \(seed)")
    }

    @Test("A timer that is due leads to an outcome or an end, in every state", arguments: UInt64(0)..<200)
    func dueTimersDoSomething(seed: UInt64) throws {
        var random = SplitMix64(seed: seed ^ 0xD0E)
        var given = try RandomPayload(count: 1 + random.below(8), dates: 5, using: &random)
        given.rules.completionSettle = random.pick([0, 60_000_000])
        given.rules.stallAfter = random.pick([0, 30_000_000, 90_000_000])
        var payload = try Payload { $0 = given.rules }
        for message in given.messages {
            try payload.take(message)
            payload.clock += Int64(random.below(80))
        }
        for _ in 0..<4 {
            let timer = payload.state.nextTimer(payload.rules)
            if payload.state.isExpired(at: timer, payload.rules) { return }
            let before = payload.state
            _ = payload.state.judge(after: .time, at: max(timer, payload.now), rules: payload.rules)
            #expect(payload.state.outcome != before.outcome, "seed \(seed): a timer that changes nothing spins")
        }
        Issue.record("seed \(seed): the timers never end")
    }
}
