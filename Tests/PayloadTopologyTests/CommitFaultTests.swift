import Foundation
import KafkaClient
import PayloadModel
import PayloadTopology
import RocksStore
import StreamRuntime
import Synchronization
import Testing

private let bootstrap = ProcessInfo.processInfo.environment["KAFKA_BOOTSTRAP"]

/// A commit that fails half-way would lose a message, tell an outcome twice, or leave store and changelog at odds. What becomes of
/// a process that is killed at these steps, `integration/` shows.
@Suite(.serialized) struct CommitFaultTests {
    /// What may go wrong at a step.
    enum Fault: Sendable {
        /// The broker refuses the transaction: the thread goes back to the last commit.
        case refused
        /// The disk refuses a write: the thread leaves the group, and joins again.
        case diskFull

        var error: StreamError {
            switch self {
            case .refused: .kafka(KafkaError(.illegalGeneration))
            case .diskFull: .store(StoreError(.noSpace, path: "/nowhere", "No space left on device"))
            }
        }
    }

    /// With at_least_once on the embedded broker; where KAFKA_BOOTSTRAP names a Kafka, with exactly_once on that, too.
    static let brokers = [nil] + (bootstrap.map { [$0] } ?? [])

    /// A disk fails where stores are read or written.
    static let faults = CommitStep.allCases.map { ($0, Fault.refused) } + [(.begun, .diskFull), (.stored, .diskFull)]

    @Test(arguments: faults)
    func nothingIsLostOrToldTwice(step: CommitStep, fault: Fault) async throws {
        for broker in CommitFaultTests.brokers { try await check(step, fault, on: broker) }
    }

    private func check(_ step: CommitStep, _ fault: Fault, on kafka: String?) async throws {
        let worker = try kafka.map { try TestWorker(bootstrapServers: $0) } ?? TestWorker()
        let faults = PlannedFaults(step, fault.error)
        let ids = (0..<20).map { "payload-\($0)" }
        let halves = (ids[..<10], ids[10...])
        var rules = PayloadRules()
        rules.completionSettle = 200_000
        try await worker.run(rules, onCommitStep: { step throws(StreamError) in try faults.reached(step) }) {
            application in
            try worker.send(halves.0.map { status($0, "puptoo", "failed", at: 1) })
            try await eventually("the first half is known") { try known(halves.0, worker, application) }
            faults.arm()
            try worker.send(halves.1.map { status($0, "puptoo", "failed", at: 1) } + ["no status message"])
            try worker.send(halves.0.map { status($0, "puptoo", "success", at: 2) })
            // At least once never gets to the step that only a transaction has.
            let canFail = kafka != nil || step != .offsetsSent
            try await eventually("the faults have happened") { faults.areOver || !canFail }
            try await eventually("every payload reaches its outcome") {
                try halves.1.allSatisfy { try worker.payload($0, in: application)?.outcome == .failed }
                    && halves.0.allSatisfy { try worker.payload($0, in: application)?.outcome == .completed }
            }
        }
        try checkOutput(of: worker, failed: halves.1, recovered: halves.0, isExact: kafka != nil)
    }

    private func known(_ ids: ArraySlice<String>, _ worker: TestWorker, _ application: StreamApplication) throws -> Bool
    {
        try ids.allSatisfy { try worker.payload($0, in: application) != nil }
    }

    private func checkOutput(
        of worker: TestWorker,
        failed: ArraySlice<String>,
        recovered: ArraySlice<String>,
        isExact: Bool
    ) throws {
        let told = Dictionary(grouping: try worker.outcomes(), by: \.key).mapValues { events in
            events.map { "\($0.json["revision"] ?? 0) \($0.json["type"] ?? "")" }
        }
        let expected =
            failed.map { ($0, ["1 payload-failed"]) }
            + recovered.map { ($0, ["1 payload-failed", "2 payload-completed"]) }
        for (id, events) in expected {
            let found = told[id] ?? []
            #expect(isExact ? found == events : Set(found) == Set(events), "events of \(id)")
        }
        let letters = try worker.records(of: worker.topics.deadLetter)
        #expect(Set(letters.map { "\($0.header("dlq.partition") ?? "") \($0.header("dlq.offset") ?? "")" }).count == 1)
        #expect(!isExact || letters.count == 1)
    }
}

/// Fails the next two commits that get to a step.
private final class PlannedFaults: Sendable {
    private let step: CommitStep
    private let error: StreamError
    private let left = Mutex<Int?>(nil)

    init(_ step: CommitStep, _ error: StreamError) {
        self.step = step
        self.error = error
    }

    func arm() { left.withLock { $0 = 2 } }
    var areOver: Bool { left.withLock { $0 == 0 } }

    func reached(_ step: CommitStep) throws(StreamError) {
        guard step == self.step else { return }
        let fails = left.withLock { left -> Bool in
            guard let count = left, count > 0 else { return false }
            left = count - 1
            return true
        }
        if fails { throw error }
    }
}
