import Synchronization

/// How many questions that look at many payloads may be under way at once, so that those cannot take the processor and the disk from the
/// worker. Thread-safe.
final class CostlyRequests: Sendable {
    static let max = 64
    private let underWay = Mutex(0)

    /// Throws a 503 when there are too many.
    func run<Answer>(_ body: () async throws -> Answer) async throws -> Answer {
        let mayStart = underWay.withLock { count in
            guard count < CostlyRequests.max else { return false }
            count += 1
            return true
        }
        guard mayStart else { throw Problem.unavailable("\(CostlyRequests.max) lists or counts are under way already") }
        defer { underWay.withLock { $0 -= 1 } }
        return try await body()
    }
}
