import Foundation
import KafkaClient
import PayloadModel
import PayloadTopology
import RocksStore
import StreamRuntime
import Testing

/// The worker as a whole on the embedded broker: what goes in, what comes out, what survives a restart.
@Suite(.serialized) struct WorkerTests {
    private let good = "0123456789abcdef0123456789abcdef"
    private let bad = "fedcba9876543210fedcba9876543210"

    private var quick: PayloadRules {
        var rules = PayloadRules()
        rules.completionSettle = 200_000
        return rules
    }

    @Test(arguments: [1, 2])
    func payloadsReachTheirOutcomesFromMessagesSpreadOverPartitions(threads: Int) async throws {
        let worker = try TestWorker()
        try await worker.run(quick, threads: threads) { application in
            try worker.send([
                status(good, "ingress", "success", at: 2), status(good, "ingress", "received", at: 1),
                status(good, "ingress", "success", at: 2),
                status(bad, "puptoo", "error", at: 3, message: "no facts"), status(bad, "ingress", "received", at: 1),
            ])
            try await eventually("both payloads are decided") {
                try worker.payload(good, in: application)?.outcome == .completed
                    && worker.payload(bad, in: application)?.stages.count == 2
            }
        }
        let events = try worker.outcomes()
        let completed = try #require(events.first { $0.key == good })
        #expect(completed.json["type"] as? String == "payload-completed")
        #expect(completed.header("ce_id") == "\(good):1")
        #expect(completed.header("ce_type") == "payload-completed")
        #expect(completed.header("content-type") == "application/json")
        let failed = try #require(events.first { $0.key == bad })
        #expect((failed.json["reason"] as? [String: Any])?["status_msg"] as? String == "no facts")
        #expect(events.count == 2)
    }

    @Test func whatWasThereBeforeTheStartIsReadWhole() async throws {
        let worker = try TestWorker()
        let seconds = 0..<60
        try worker.send(seconds.map { status(bad, "puptoo", "failed", at: $0) })
        // Several starts: what came between an assignment and the start of its tasks was once lost.
        try await worker.run(quick) { application in
            try await eventually("the first start reads some of it") { try worker.payload(bad, in: application) != nil }
        }
        try worker.send(seconds.map { status(good, "ingress", "success", at: $0) })
        try await worker.run(quick) { application in
            try await eventually("every entry is there") {
                try worker.payload(bad, in: application)?.stages.first?.entries.count == seconds.count
                    && worker.payload(good, in: application)?.stages.first?.entries.count == seconds.count
            }
        }
    }

    @Test func whatCannotBeTakenIsDeadLetteredAsItWas() async throws {
        let worker = try TestWorker()
        let garbage = "{\"service\": not json"
        try await worker.run(quick) { application in
            try worker.send(
                [garbage],
                key: "k",
                headers: [Header(name: "h", value: [1, 2]), Header(name: "h", value: nil)]
            )
            try worker.send([nil, status(good, "ingress", "success", at: 1)])
            try await eventually("the good one went through") { try worker.payload(good, in: application) != nil }
            try await eventually("the garbage is a dead letter") {
                try !worker.records(of: worker.topics.deadLetter).isEmpty
            }
        }
        let letters = try worker.records(of: worker.topics.deadLetter)
        let letter = try #require(letters.first)
        #expect(letters.count == 1)
        #expect(letter.key == "k")
        #expect(letter.value == Array(garbage.utf8))
        #expect(letter.headers.prefix(2) == [Header(name: "h", value: [1, 2]), Header(name: "h", value: nil)])
        #expect(letter.header("dlq.reason") == "not-json")
        #expect(letter.header("dlq.topic") == worker.topics.input)
        #expect(letter.header("dlq.partition") == "0")
        #expect(letter.header("dlq.offset") == "0")
    }

    @Test func aRestartGoesOnWhereItStoppedAndFiresTimersWithoutTraffic() async throws {
        let worker = try TestWorker()
        var slow = quick
        slow.completionSettle = 3_600_000_000
        try await worker.run(slow) { application in
            try worker.send([status(good, "ingress", "success", at: 1), status(bad, "puptoo", "failed", at: 1)])
            try await eventually("both are stored") {
                try worker.payload(good, in: application) != nil
                    && worker.payload(bad, in: application)?.outcome == .failed
            }
        }
        #expect(try worker.outcomes().map(\.key) == [bad])

        try await worker.run(quick) { application in
            try await eventually("the timer fires, at the new setting") {
                try worker.payload(good, in: application)?.outcome == .completed
            }
            #expect(try worker.payload(bad, in: application)?.revision == 1)
        }
        #expect(Set(try worker.outcomes().compactMap(\.key)) == [good, bad])
        #expect(try worker.outcomes().count == 2)
    }

    @Test func whatIsDueIsToldBeforeAPayloadExpires() async throws {
        let worker = try TestWorker()
        var slow = quick
        slow.completionSettle = 3_600_000_000
        try await worker.run(slow) { application in
            try worker.send([status(good, "ingress", "success", at: 1)])
            try await eventually("it is stored") { try worker.payload(good, in: application) != nil }
        }
        var short = quick
        short.retention = 300_000
        try await Task.sleep(for: .milliseconds(400))
        try await worker.run(short) { application in
            try await eventually("it has expired") {
                try worker.payload(good, in: application) == nil && !worker.outcomes().isEmpty
            }
        }
        #expect(try worker.outcomes().map { $0.json["type"] as? String } == ["payload-completed"])
    }

    @Test func aLostStateDirectoryIsRebuiltFromTheChangelog() async throws {
        let worker = try TestWorker()
        try await worker.run(quick) { application in
            try worker.send([status(good, "ingress", "success", at: 1), status(bad, "puptoo", "failed", at: 1)])
            try await eventually("both are decided") {
                try worker.payload(good, in: application)?.outcome == .completed
                    && worker.payload(bad, in: application)?.outcome == .failed
            }
        }
        try FileManager.default.removeItem(atPath: worker.stateDirectory)
        try await worker.run(quick) { application in
            try await eventually("both are back") {
                try worker.payload(good, in: application)?.outcome == .completed
                    && worker.payload(bad, in: application)?.outcome == .failed
            }
        }
        #expect(try worker.outcomes().count == 2)
    }

    @Test func listsShowWhatWasCommittedBeforeAndAfterARestore() async throws {
        let worker = try TestWorker()
        var failed = PayloadFilter()
        failed.failedService = "puptoo"
        try await worker.run(quick) { application in
            try worker.send([status(good, "ingress", "success", at: 1), status(bad, "puptoo", "failed", at: 2)])
            try await eventually("the failed one is listed") {
                try worker.list(failed, in: application) == [bad]
                    && worker.list(PayloadFilter(), in: application) == [bad, good]
            }
        }
        try FileManager.default.removeItem(atPath: worker.stateDirectory)
        try await worker.run(quick) { application in
            try await eventually("both are listed again") {
                try worker.list(failed, in: application) == [bad]
                    && worker.list(PayloadFilter(), in: application) == [bad, good]
            }
        }
    }

    @Test func storesOfAnotherFormatAreRebuiltFromTheChangelog() async throws {
        let worker = try TestWorker()
        try await worker.run(quick, storeFormat: 1) { application in
            try worker.send([status(good, "ingress", "success", at: 1), status(bad, "puptoo", "failed", at: 2)])
            try await eventually("both are decided") {
                try worker.payload(good, in: application)?.outcome == .completed
                    && worker.payload(bad, in: application)?.outcome == .failed
            }
        }
        #expect {
            _ = try worker.offlineStores()
        } throws: { error in
            guard case .store(let reason) = error as? StreamError else { return false }
            return reason.kind == .incompatible
        }
        try await worker.run(quick) { application in
            try await eventually("both are back") {
                try worker.list(PayloadFilter(), in: application) == [bad, good]
            }
        }
        #expect(try worker.outcomes().count == 2)
    }

    @Test func theLocalStoresCanBeReadWhileNoWorkerHasThem() async throws {
        let worker = try TestWorker()
        #expect(throws: StreamError.self) { try worker.offlineStores() }
        try await worker.run(quick) { application in
            try worker.send([status(bad, "puptoo", "failed", at: 2)])
            try await eventually("it is stored") { try worker.payload(bad, in: application) != nil }
            #expect(throws: StreamError.self) { try worker.offlineStores() }
        }
        let offline = try worker.offlineStores()
        let id = try PayloadID(normalizing: bad)
        let found = try offline.stores.values.compactMap { try PayloadStore.payload(id, in: $0) }
        #expect(found.map(\.outcome) == [.failed])
    }

    @Test func retentionRemovesThePayloadAndWritesATombstone() async throws {
        let worker = try TestWorker()
        var rules = quick
        rules.retention = 1_000_000
        try await worker.run(rules) { application in
            try worker.send([status(bad, "puptoo", "failed", at: 1)])
            try await eventually("the changelog has its tombstone") {
                try worker.records(of: worker.topics.changelog).contains { $0.key == bad && $0.value == nil }
            }
            try await eventually("the store has forgotten it") { try worker.payload(bad, in: application) == nil }
            #expect(try worker.list(PayloadFilter(), in: application).isEmpty)
            // A payload that comes back starts anew.
            try worker.send([status(bad, "puptoo", "failed", at: 2)])
            try await eventually("it failed again") { try worker.outcomes().count == 2 }
        }
        #expect(try worker.outcomes().map { $0.header("ce_id") } == ["\(bad):1", "\(bad):1"])
    }

    @Test func keyedInputNeedsNoRepartitionAndRefusesOtherKeys() async throws {
        let worker = try TestWorker(isInputKeyed: true)
        let partition = Array(good.utf8).withUnsafeBytes {
            Partitioner.murmur2($0, partitionCount: TestWorker.partitions)
        }
        try await worker.run(quick) { application in
            let values = [String?](repeating: status(good, "ingress", "success", at: 1), count: Int(partition) + 1)
            try worker.send(values, key: good)
            try worker.send([status(bad, "ingress", "success", at: 1)], key: good)
            try await eventually("the keyed one is completed") {
                try worker.payload(good, in: application)?.outcome == .completed
            }
            try await eventually("the other is a dead letter") {
                try !worker.records(of: worker.topics.deadLetter).isEmpty
            }
        }
        #expect(try worker.records(of: worker.topics.deadLetter).map { $0.header("dlq.reason") } == ["mis-keyed"])
        #expect(try worker.records(of: worker.topics.repartition).isEmpty)
    }

    @Test func unequalInternalTopicsStopTheWorkerWithASentence() async throws {
        let worker = try TestWorker(changelogPartitions: 4)
        await #expect {
            try await worker.application(quick).run()
        } throws: { error in
            guard case .incompatible(let sentence) = error as? StreamError else { return false }
            return sentence.contains("repartition") && sentence.contains("changelog") && sentence.contains("4")
        }
    }
}
