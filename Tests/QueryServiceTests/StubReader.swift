import PayloadModel
import QueryService
import Synchronization

/// A reader that says what it is told to, and counts how often it is asked for a document.
final class StubReader: PayloadReader {
    typealias Answer = @Sendable (_ id: PayloadID, _ call: Int) throws(ReadFailure) -> PayloadState?

    private let answer: Answer
    private let calls = Atomic(0)

    /// - Parameter answer: what is known of the payload at the n-th call, counted from 1.
    init(_ answer: @escaping Answer) { self.answer = answer }

    var callCount: Int { calls.load(ordering: .sequentiallyConsistent) }

    func document(_ id: PayloadID) async throws(ReadFailure) -> LocatedDocument? {
        let call = calls.add(1, ordering: .sequentiallyConsistent).newValue
        guard let state = try answer(id, call) else { return nil }
        return LocatedDocument(
            document: PayloadDocument(state, rules: PayloadRules()),
            partition: 3,
            servedBy: "http://tracker-0:8080"
        )
    }

    func statuses(_ id: PayloadID, limit: Int?) async throws(ReadFailure) -> [StatusReport]? {
        guard let state = try answer(id, 0) else { return nil }
        return PayloadDocument.statuses(of: state, limit: limit, rules: PayloadRules())
    }
}

struct StubHealth: HealthReporter {
    var health = HealthReport(healthy: true, problems: [])
    var readiness = ReadinessReport(ready: true, waitingFor: [])
}
