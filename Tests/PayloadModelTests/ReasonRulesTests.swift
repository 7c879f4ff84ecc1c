import PayloadModel
import Testing

/// Section 3, "Why": what a person reads first when a payload failed.
@Suite struct ReasonRulesTests {
    private func texts(_ reports: JSON?) -> [String] { (reports?.elements ?? []).map { $0["status_msg"]?.text ?? "-" } }

    @Test("The telling entry is the first of the unbroken run of failures, not the general one that follows")
    func tellingEntry() throws {
        var payload = try Payload()
        try payload.send("puptoo", "error", at: 1, "an older try")
        try payload.send("puptoo", "received", at: 2)
        try payload.send("puptoo", "invalid", at: 3, "the real error")
        try payload.send("puptoo", "error", at: 4, "a second one")
        try payload.send("puptoo", "failed", at: 5, "Validation failure")
        let document = try payload.document()
        #expect(document["status"] == "failure")
        #expect(
            document["reason"] == [
                "service": "puptoo", "source": nil, "status": "invalid", "raw_status": "invalid",
                "status_msg": "the real error", "date": "1970-01-01T00:00:00.000003Z",
            ]
        )
        #expect(document["failed_stages"]?[0] == document["reason"])
        #expect(document["stages"]?[0]?["status_msg"] == "Validation failure")
        #expect(texts(document["recovered_failures"]) == ["an older try"])
    }

    @Test("A late entry that splits the run moves the telling entry behind it")
    func lateSplit() throws {
        var payload = try Payload()
        for date in [1, 3, 5] as [Int64] { try payload.send("a", "error", at: date, "\(date)") }
        #expect(texts(try payload.document()["failed_stages"]) == ["1"])
        try payload.send("a", "processing", at: 2)
        #expect(texts(try payload.document()["failed_stages"]) == ["3"])
        #expect(texts(try payload.document()["recovered_failures"]) == ["1"])
    }

    @Test("failed_stages are by date, service and source, no source first, and the reason is the first of them")
    func failedStagesOrder() throws {
        var payload = try Payload()
        for stage in ["b/y", "b/x", "b", "c", "a"] { try payload.send(stage, "error", at: 5, stage) }
        try payload.send("z", "error", at: 4, "z")
        try payload.send("z", "error", at: 9, "general")
        try payload.send("ok", "success", at: 1)
        let document = try payload.document()
        #expect(texts(document["failed_stages"]) == ["z", "a", "b", "b/x", "b/y", "c"])
        #expect(document["reason"]?["status_msg"] == "z")
    }

    @Test("Failures that a retry made good are listed newest first, the newest 20, and ride on payload-completed")
    func recoveredFailures() throws {
        var payload = try Payload { $0.completionSettle = 0 }
        for index in 0..<15 { try payload.send("a", "error", at: Int64(index * 2), "a\(index)") }
        for index in 0..<15 { try payload.send("b", "invalid", at: Int64(index * 2 + 1), "b\(index)") }
        try payload.send("a", "success", at: 100)
        #expect(texts(try payload.document()["recovered_failures"]) == (0..<15).reversed().map { "a\($0)" })
        let event = try payload.send("b", "success", at: 100)
        let expected = (5..<15).reversed().flatMap { ["b\($0)", "a\($0)"] }
        #expect(event?.type == "payload-completed")
        #expect(event?.recoveredFailures.map { $0.entry.message?.string } == expected)
        #expect(event?.reason == nil)
        #expect(event?.failedStages == [])
        let document = try payload.document()
        #expect(texts(document["recovered_failures"]) == expected)
        #expect(document["reason"] == .null)
    }

    @Test("Failures of a stage that stays failed are no recovered ones")
    func currentRunIsNotRecovered() throws {
        var payload = try Payload()
        for date in 0..<5 { try payload.send("a", "error", at: Int64(date)) }
        #expect(try payload.document()["recovered_failures"] == [])
    }

    @Test("A failure that recovers long after others filled the history is still told in full")
    func recoveryAfterALongSilence() throws {
        var payload = try Payload { $0.historyMaxEntries = 5 }
        for date in 0..<30 { try payload.send("quiet", "error", at: Int64(date), "\(date)") }
        for date in 100..<2_000 { try payload.send("busy", "processing", at: Int64(date)) }
        try payload.send("quiet", "success", at: 5_000)
        #expect(texts(try payload.document()["recovered_failures"]) == (10..<30).reversed().map { "\($0)" })
    }

    @Test("A long run of failures pushes out neither the reason nor the failures recovered before it")
    func reasonBehindALongRun() throws {
        var payload = try Payload { $0.historyMaxEntries = 5 }
        for date in 0..<5 { try payload.send("bad", "error", at: Int64(date), "\(date)") }
        try payload.send("bad", "received", at: 5)
        for date in 10..<60 { try payload.send("bad", "error", at: Int64(date), "\(date)") }
        for date in 100..<2_000 { try payload.send("busy", "processing", at: Int64(date)) }
        #expect(payload.storedEntries < 500)
        let document = try payload.document()
        #expect(document["reason"]?["status_msg"] == "10")
        #expect(texts(document["recovered_failures"]) == ["4", "3", "2", "1", "0"])
    }

    @Test("A stalled payload's reason is the current entry of the non-terminal stage with the smallest date")
    func stalledReason() throws {
        var payload = try Payload()
        try payload.send("done", "success", at: 1)
        try payload.send("b", "received", at: 2)
        try payload.send("b", "processing", at: 9, "b")
        try payload.send("c", "received", at: 5, "c")
        try payload.send("a/z", "processing", at: 5, "a/z")
        try payload.send("a/y", "processing", at: 5, "a/y")
        try payload.send("h/in", "received", at: 0, "handed over")
        try payload.send("h/out", "success", at: 1)
        let event = payload.wait(3_600)
        #expect(event?.type == "payload-stalled")
        #expect(event?.reason?.entry.message == "a/y")
        #expect(event?.failedStages == [])
        #expect(try payload.document()["reason"]?["status_msg"] == "a/y")
    }

    @Test("A stalled payload whose stages are all terminal has no reason but names the missing services")
    func stalledForMissingServices() throws {
        var payload = try Payload { $0.requiredServices = ["puptoo", "advisor", "ingress"] }
        try payload.send("ingress", "success", at: 1)
        #expect(try payload.document()["missing_services"] == ["advisor", "puptoo"])
        #expect(payload.wait(60) == nil)
        let event = payload.wait(3_540)
        #expect(event?.type == "payload-stalled")
        #expect(event?.status == .success)
        #expect(event?.reason == nil)
        #expect(event?.missingServices == ["advisor", "puptoo"])
    }
}
