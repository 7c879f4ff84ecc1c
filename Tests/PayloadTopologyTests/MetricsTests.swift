import Foundation
import KafkaClient
import Metrics
import MetricsTestKit
import PayloadModel
import PayloadTopology
import StreamRuntime
import Synchronization
import Testing

private let bootstrap = ProcessInfo.processInfo.environment["KAFKA_BOOTSTRAP"]

/// Metrics of the hot path: one that is not moved is an alert that never fires. They are the process's, so a test looks how far they move.
@Suite(.serialized) struct MetricsTests {
    private static let metrics: TestMetrics = {
        let metrics = TestMetrics()
        MetricsSystem.bootstrap(metrics)
        return metrics
    }()

    private let metrics = MetricsTests.metrics

    private func count(_ label: String) -> Int64 { (try? metrics.expectCounter(label).totalValue) ?? 0 }

    private func values(_ label: String, service: String? = nil) -> [Int64] {
        (try? metrics.expectTimer(label, service.map { [("service", $0)] } ?? []).values) ?? []
    }

    @Test func whatACommitHasTellsHowLongItTook() async throws {
        let worker = try TestWorker()
        let before = values("payload_tracker_end_to_end_latency").count
        let rebalances = count("payload_tracker_rebalances")
        try await worker.run(PayloadRules()) { application in
            try worker.send([
                status("one", "latency", "received", at: 1), status("two", "latency", "received", at: 1),
            ])
            try await eventually("both payloads are told of") {
                values("payload_tracker_end_to_end_latency").count >= before + 2
            }
        }
        // From the timestamp of the input's record, which was sent just now, whatever the message's date is.
        let hour: Int64 = 3_600_000_000_000
        #expect(values("payload_tracker_end_to_end_latency").dropFirst(before).allSatisfy { (0..<hour).contains($0) })
        #expect(count("payload_tracker_rebalances") > rebalances)
    }

    @Test func recordsAreCountedForEachHopAndTimeForEachPhase() async throws {
        let worker = try TestWorker()
        func processed(_ topic: String) -> Int64 {
            (try? metrics.expectCounter("payload_tracker_processed_records", [("topic", topic)]).totalValue) ?? 0
        }
        func seconds(_ phase: String) -> Int64 {
            let label = "payload_tracker_stream_thread_seconds"
            return (try? metrics.expectCounter(label, [("phase", phase)]).totalValue) ?? 0
        }
        let waited = seconds("wait")
        try await worker.run(PayloadRules()) { _ in
            // The third is a dead letter: it is processed, and goes no further.
            try worker.send([
                status("one", "hops", "received", at: 1), status("two", "hops", "received", at: 1), "no JSON",
            ])
            try await eventually("both hops are counted") {
                processed(worker.topics.input) >= 3 && processed(worker.topics.repartition) >= 2
            }
            #expect(processed(worker.topics.input) == 3)
            #expect(processed(worker.topics.repartition) == 2)
            // Whole seconds: the test's metrics know no others.
            try await eventually("a thread with nothing to do tells that it waits") { seconds("wait") > waited }
        }
    }

    @Test func aStageTellsItsDurationOnceWhenItEnds() async throws {
        let worker = try TestWorker()
        let before = values("payload_tracker_stage_duration", service: "timed").count
        try await worker.run(PayloadRules()) { application in
            try worker.send([status("one", "timed", "received", at: 1)])
            try await eventually("the beginning is known") { try worker.payload("one", in: application) != nil }
            try worker.send([status("one", "timed", "success", at: 3)])
            try await eventually("the end is told of") {
                values("payload_tracker_stage_duration", service: "timed").count > before
            }
            // A stage that goes on does not end again, and nobody knows when one with a single message began.
            try worker.send([
                status("one", "timed", "failed", at: 9), status("two", "timed", "success", at: 5),
                status("two", "end", "received", at: 6),
            ])
            try await eventually("they are known") {
                try worker.payload("one", in: application)?.stages.first?.entries.count == 3
                    && worker.payload("two", in: application)?.stages.count == 2
            }
        }
        #expect(values("payload_tracker_stage_duration", service: "timed").dropFirst(before) == [2_000_000_000])
    }

    @Test func producersCannotMakeAsManySeriesAsTheyLike() async throws {
        let worker = try TestWorker()
        let services = (0..<110).map { "bounded-\($0)" }
        let others = values("payload_tracker_stage_duration", service: "other").count
        try await worker.run(PayloadRules()) { application in
            try worker.send(services.map { status("many", $0, "received", at: 1) })
            try await eventually("all stages are known") {
                try worker.payload("many", in: application)?.stages.count == services.count
            }
            try worker.send(services.map { status("many", $0, "success", at: 2) })
            try await eventually("the last ones are told of together") {
                values("payload_tracker_stage_duration", service: "other").count == others + 10
            }
        }
        let own = services.count { !values("payload_tracker_stage_duration", service: $0).isEmpty }
        #expect(own == 100)
    }

    @Test(.enabled(if: bootstrap != nil, "the embedded broker carries no transactions out"))
    func aTransactionTellsHowLongItTook() async throws {
        let worker = try TestWorker(bootstrapServers: try #require(bootstrap))
        let before = values("payload_tracker_transaction_duration").count
        try await worker.run(PayloadRules()) { application in
            try worker.send([status("one", "ingress", "received", at: 1)])
            try await eventually("it is committed") { try worker.payload("one", in: application) != nil }
        }
        #expect(values("payload_tracker_transaction_duration").count > before)
    }

    @Test func aCommitThatFailsIsCounted() async throws {
        let worker = try TestWorker()
        let before = count("payload_tracker_commit_failures")
        let hasFailed = Mutex(false)
        try await worker.run(
            PayloadRules(),
            onCommitStep: { step throws(StreamError) in
                guard step == .produced, hasFailed.withLock({ $0.exchange(true) }) == false else { return }
                throw .kafka(KafkaError(.illegalGeneration))
            }
        ) { application in
            try worker.send([status("one", "ingress", "received", at: 1)])
            try await eventually("it is committed after all") { try worker.payload("one", in: application) != nil }
        }
        #expect(count("payload_tracker_commit_failures") == before + 1)
    }
}

extension Bool {
    /// The value that it had.
    fileprivate mutating func exchange(_ new: Bool) -> Bool {
        defer { self = new }
        return self
    }
}
