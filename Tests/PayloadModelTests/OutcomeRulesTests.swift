import PayloadModel
import Testing

/// Section 3: when a payload is completed, failed or stalled, and what reopens it.
@Suite struct OutcomeRulesTests {
    private func outcome(_ payload: Payload) -> Outcome { payload.state.outcome }

    @Test("Completed after the settle time since the last change, not a microsecond before")
    func settle() throws {
        var payload = try Payload()
        #expect(try payload.send("a", "success", at: 1) == nil)
        payload.wait(59)
        let early = payload.state.judge(
            after: .time,
            at: payload.now.advanced(byMicroseconds: 999_999),
            rules: payload.rules
        )
        #expect(early == nil)
        let event = payload.wait(1)
        #expect(event?.type == "payload-completed")
        #expect(event?.previousOutcome == .open)
        #expect(event?.revision == 1)
        #expect(event?.emittedAt == payload.now)
        #expect(payload.wait(1) == nil)
    }

    @Test("A new entry restarts the settle time; one that is known does not")
    func settleRestarts() throws {
        var payload = try Payload()
        try payload.send("a", "success", at: 1)
        payload.wait(40)
        try payload.send("b", "success", at: 1)
        #expect(payload.wait(30) == nil)
        try payload.send("b", "success", at: 1)
        #expect(payload.wait(30)?.type == "payload-completed")
    }

    @Test("A settle time of 0 completes with the record itself")
    func settleZero() throws {
        var payload = try Payload { $0.completionSettle = 0 }
        #expect(try payload.send("a", "received", at: 1) == nil)
        #expect(try payload.send("a", "success", at: 2)?.type == "payload-completed")
    }

    @Test("Completed only when every required service has a stage, whatever that stays at")
    func requiredServices() throws {
        var payload = try Payload {
            $0.completionSettle = 0
            $0.requiredServices = ["a", "b"]
        }
        #expect(try payload.send("a", "success", at: 1) == nil)
        #expect(try payload.send("c", "success", at: 1) == nil)
        let event = try payload.send("b", "success", at: 1)
        #expect(event?.type == "payload-completed")
        #expect(event?.missingServices == [])
    }

    @Test("An outcome that other rules led to is judged again at once: failed, completed and open ones")
    func changedRules() throws {
        let all = PayloadRules()
        var ignoring = all
        ignoring.ignoredServices = ["b"]
        let day: Int64 = 86_400_000_000
        for (words, first, before, second, after) in [
            (["success", "error"], all, Outcome.failed, ignoring, Outcome.completed),
            (["success", "error"], ignoring, .completed, all, .failed),
            (["received", "error"], ignoring, .open, all, .failed),
        ] {
            var payload = try Payload { $0 = first }
            for (service, word) in zip(["a", "b"], words) { try payload.send(service, word, at: 1) }
            if before == .completed { payload.wait(60) }
            #expect(payload.state.outcome == before)
            #expect(payload.state.nextTimer(first) > payload.now)
            #expect(payload.state.nextTimer(second) <= payload.now)
            let event = payload.state.judge(
                after: .time,
                at: payload.now.advanced(byMicroseconds: day),
                rules: second
            )
            #expect(payload.state.outcome == after)
            #expect(event?.previousOutcome == before)
        }
    }

    @Test("Failed at once, for failure and for invalid, and told once for both", arguments: ["failure", "invalid"])
    func failed(word: String) throws {
        var payload = try Payload()
        let event = try payload.send("a", word, at: 1)
        #expect(event?.type == "payload-failed")
        #expect(event?.status.name == word)
        #expect(try payload.send("b", "failure", at: 2) == nil)
        #expect(try payload.send("b", "invalid", at: 3) == nil)
        #expect(payload.wait(86_400) == nil)
        #expect(outcome(payload) == .failed)
    }

    @Test("A failure that is followed at once by a recovery is still told, and so is the completion")
    func failureAndRecovery() throws {
        var payload = try Payload { $0.completionSettle = 0 }
        #expect(try payload.send("a", "failure", at: 1)?.revision == 1)
        let event = try payload.send("a", "success", at: 2)
        #expect(event?.type == "payload-completed")
        #expect(event?.revision == 2)
        #expect(event?.previousOutcome == .failed)
        #expect(event?.recoveredFailures.count == 1)
    }

    @Test("A failed payload that recovers is open until it settles")
    func recoveryIsOpen() throws {
        var payload = try Payload()
        try payload.send("a", "failure", at: 1)
        #expect(try payload.send("a", "received", at: 2) == nil)
        #expect(outcome(payload) == .open)
        try payload.send("a", "success", at: 3)
        let event = payload.wait(60)
        #expect(event?.revision == 2)
        #expect(event?.previousOutcome == .open)
    }

    @Test("Stalled after stall.after since the last change; 0 turns it off")
    func stall() throws {
        var payload = try Payload()
        try payload.send("a", "processing", at: 1)
        #expect(payload.wait(3_599) == nil)
        let event = payload.wait(1)
        #expect(event?.type == "payload-stalled")
        #expect(event?.status == .processing)
        #expect(payload.wait(86_400) == nil)

        var off = try Payload { $0.stallAfter = 0 }
        try off.send("a", "processing", at: 1)
        #expect(off.wait(6 * 86_400) == nil)
        #expect(outcome(off) == .open)
    }

    @Test(
        "A payload that waits in a service stalls after that service's own time, the least of several; 0 turns it off"
    )
    func stallOfService() throws {
        var payload = try Payload {
            $0.stallAfterByService = ["fast": 10_000_000, "slow": 7_200_000_000, "never": 0, "tasks": 1_000_000]
            $0.ignoredServices = ["tasks"]
        }
        try payload.send("slow", "processing", at: 1)
        try payload.send("tasks", "processing", at: 1)
        #expect(payload.wait(7_199) == nil, "neither after stall.after nor after that of an ignored service")
        #expect(payload.wait(1)?.type == "payload-stalled")
        try payload.send("fast", "received", at: 2)
        #expect(payload.wait(9) == nil)
        #expect(payload.wait(1)?.type == "payload-stalled")
        try payload.send("fast", "success", at: 3)
        #expect(payload.wait(7_199) == nil, "it does not wait in a service that is done")
        try payload.send("slow", "success", at: 3)
        try payload.send("never", "processing", at: 4)
        #expect(payload.wait(6 * 86_400) == nil)
        try payload.send("other", "processing", at: 5)
        #expect(payload.wait(3_599) == nil)
        #expect(payload.wait(1)?.type == "payload-stalled", "stall.after holds for a service without its own")
    }

    @Test("A new entry reopens a stalled payload, which may stall again and is then told again")
    func stalledReopens() throws {
        var payload = try Payload()
        try payload.send("a", "received", at: 1)
        payload.wait(3_600)
        #expect(try payload.send("a", "received", at: 1) == nil)
        #expect(outcome(payload) == .stalled, "an identical message reopens nothing")
        #expect(try payload.send("a", "received", at: 0) == nil)
        #expect(outcome(payload) == .open, "an older entry is a new entry")
        let event = payload.wait(3_600)
        #expect(event?.revision == 2)
        #expect(event?.previousOutcome == .open)
    }

    @Test("A stalled payload whose status is success completes when stall.after is the shorter of the two")
    func stallBeforeSettle() throws {
        var payload = try Payload { $0.stallAfter = 10_000_000 }
        try payload.send("a", "success", at: 1)
        #expect(payload.wait(10)?.type == "payload-stalled")
        #expect(payload.wait(49) == nil)
        #expect(payload.wait(1)?.previousOutcome == .stalled)
        #expect(outcome(payload) == .completed)
    }

    @Test("A completed payload stays completed while its status stays success")
    func completedStays() throws {
        var payload = try Payload()
        try payload.send("a", "success", at: 1)
        payload.wait(60)
        #expect(try payload.send("b", "success", at: 2) == nil)
        #expect(outcome(payload) == .completed)
        #expect(try payload.send("a", "failure", at: 0) == nil, "an older failure that a success has followed")
        #expect(outcome(payload) == .completed)
        #expect(payload.wait(86_400) == nil)
        #expect(payload.state.revision == 1)
    }

    @Test(
        "Any other status reopens a completed payload, and it is told when it completes again",
        arguments: ["received", "processing"]
    )
    func completedReopens(word: String) throws {
        var payload = try Payload()
        try payload.send("a", "success", at: 1)
        payload.wait(60)
        #expect(try payload.send("b", word, at: 2) == nil)
        #expect(outcome(payload) == .open)
        try payload.send("b", "success", at: 3)
        #expect(outcome(payload) == .open)
        let event = payload.wait(60)
        #expect(event?.type == "payload-completed")
        #expect(event?.revision == 2)
    }

    @Test("A completed payload that fails says what it was before")
    func completedThenFailed() throws {
        var payload = try Payload { $0.completionSettle = 0 }
        try payload.send("a", "success", at: 1)
        let event = try payload.send("b", "error", at: 2)
        #expect(event?.previousOutcome == .completed)
        #expect(event?.id == "\(Payload.id):2")
    }

    @Test("A change of attributes alone restarts the timers and reopens nothing")
    func attributesAlone() throws {
        func attributes(_ payload: inout Payload, _ word: String, _ id: String) throws -> OutcomeEvent? {
            try payload.take(Payload.message("a", word, at: 1, inventoryID: id))
        }
        var settling = try Payload()
        try settling.send("a", "success", at: 1)
        settling.wait(50)
        #expect(try attributes(&settling, "success", "i1") == nil)
        #expect(settling.wait(59) == nil)
        #expect(settling.wait(1)?.inventoryIDs == ["i1"])
        #expect(try attributes(&settling, "success", "i2") == nil)
        #expect(outcome(settling) == .completed)

        var stalled = try Payload()
        try stalled.send("a", "received", at: 1)
        stalled.wait(3_600)
        #expect(try attributes(&stalled, "received", "i1") == nil)
        #expect(outcome(stalled) == .stalled)
        #expect(stalled.state.nextTimer(stalled.rules) == stalled.now.advanced(byMicroseconds: stalled.rules.retention))

        var failed = try Payload()
        try failed.send("a", "failure", at: 1)
        #expect(try attributes(&failed, "failure", "i1") == nil)
        #expect(outcome(failed) == .failed)
    }

    @Test("What a fold changed is said exactly: it decides whether timers restart")
    func foldResults() throws {
        var payload = try Payload()
        let plain = try Payload.message("a", "received", at: 1)
        let rich = try Payload.message("a", "received", at: 1, account: "7", systemID: "s")
        #expect(try payload.state.fold(plain, rules: payload.rules) == .entryAdded)
        #expect(try payload.state.fold(plain, rules: payload.rules) == .unchanged)
        #expect(try payload.state.fold(rich, rules: payload.rules) == .attributesChanged)
        #expect(try payload.state.fold(rich, rules: payload.rules) == .unchanged)
    }

    @Test("A payload is kept for the retention since its last change, and not longer")
    func retention() throws {
        var payload = try Payload()
        try payload.send("a", "failure", at: 1)
        payload.wait(86_400)
        try payload.send("a", "failure", at: 1)
        #expect(payload.state.nextTimer(payload.rules) == Timestamp(microseconds: (1_000_000 + 7 * 86_400) * 1_000_000))
        payload.wait(6 * 86_400 - 1)
        #expect(!payload.state.isExpired(at: payload.now, payload.rules))
        payload.wait(1)
        #expect(payload.state.isExpired(at: payload.now, payload.rules))
    }

    @Test("A wall clock that steps back neither fires nor traps")
    func clockStepsBack() throws {
        var payload = try Payload()
        try payload.send("a", "success", at: 1)
        #expect(payload.wait(-500) == nil)
        #expect(!payload.state.isExpired(at: payload.now, payload.rules))
        #expect(payload.wait(560)?.type == "payload-completed")
    }

    @Test("Durations that never end give a timer that never comes instead of a trap")
    func endlessDurations() throws {
        var payload = try Payload {
            $0.completionSettle = .max
            $0.stallAfter = .max
            $0.retention = .max
        }
        try payload.send("a", "success", at: 1)
        #expect(payload.state.nextTimer(payload.rules) == Timestamp(microseconds: .max))
        #expect(payload.wait(1_000_000) == nil)
    }
}
