import PayloadModel
import QueryService
import Synchronization

/// A reader that says what it is told to, and counts how often it is asked for a document.
final class StubReader: PayloadReader {
    typealias Answer = @Sendable (_ id: PayloadID, _ call: Int) throws(ReadFailure) -> PayloadState?

    private let answer: Answer
    private let standby: (@Sendable (PayloadID) -> PayloadState?)?
    private let calls = Atomic(0)

    /// The staleness of what the standby says.
    static let staleness: Int64 = 7

    /// - Parameters:
    ///   - standby: what a standby's store says where `answer` throws; nil: it stands by for nothing.
    ///   - answer: what is known of the payload at the n-th call, counted from 1.
    init(standby: (@Sendable (PayloadID) -> PayloadState?)? = nil, _ answer: @escaping Answer) {
        self.standby = standby
        self.answer = answer
    }

    var callCount: Int { calls.load(ordering: .sequentiallyConsistent) }

    func document(_ id: PayloadID, takesStale: Bool) async throws(ReadFailure) -> LocatedDocument {
        let call = calls.add(1, ordering: .sequentiallyConsistent).newValue
        let (state, staleness) = try find(id, call, takesStale)
        return LocatedDocument(
            document: PayloadDocument(state, rules: PayloadRules()),
            partition: 3,
            servedBy: "http://tracker-0:8080",
            stalenessRecords: staleness
        )
    }

    func statuses(_ id: PayloadID, limit: Int?, takesStale: Bool) async throws(ReadFailure) -> LocatedStatuses {
        let (state, staleness) = try find(id, 0, takesStale)
        return LocatedStatuses(
            data: PayloadDocument.statuses(of: state, limit: limit, rules: PayloadRules()),
            stalenessRecords: staleness
        )
    }

    private func find(_ id: PayloadID, _ call: Int, _ takesStale: Bool) throws(ReadFailure) -> (PayloadState, Int64) {
        let (state, staleness) = try look(id, call, takesStale)
        guard let state else { throw .unknown(id, stalenessRecords: takesStale ? staleness : nil) }
        return (state, staleness)
    }

    private func look(_ id: PayloadID, _ call: Int, _ takesStale: Bool) throws(ReadFailure) -> (PayloadState?, Int64) {
        do throws(ReadFailure) {
            return (try answer(id, call), 0)
        } catch {
            guard takesStale, let standby else { throw error }
            return (standby(id), StubReader.staleness)
        }
    }
}

struct StubHealth: HealthReporter {
    var health = HealthReport(healthy: true, problems: [])
    var readiness = ReadinessReport(ready: true, waitingFor: [])
}

struct StubSummary: SummaryReader {
    var part = SummaryPart(
        partitions: [],
        missing: [],
        lastHour: .init(),
        sinceStart: .init(),
        startedAt: Timestamp(microseconds: 0)
    )

    func summary() async throws(ReadFailure) -> SummaryPart { part }
}

/// Has seen changes already, as many as it was told.
struct StubWatcher: PayloadWatcher {
    var changes = 0

    func changes(of id: PayloadID) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        for _ in 0..<changes { continuation.yield() }
        return stream
    }
}

struct StubPartitions: PartitionReader {
    var document = PartitionsDocument(data: [], input: [])

    func partitions() async throws(ReadFailure) -> PartitionsDocument { document }
}
