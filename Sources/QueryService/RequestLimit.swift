import Synchronization

/// How many requests of a kind may be under way at once, so that those leave something for the others. Thread-safe.
final class RequestLimit: Sendable {
    private let max: Int
    /// What there are too many of, for people.
    private let name: String
    private let retryAfterSeconds: Int
    private let underWay = Mutex(0)

    init(_ max: Int, _ name: String, retryAfterSeconds: Int) {
        self.max = max
        self.name = name
        self.retryAfterSeconds = retryAfterSeconds
    }

    /// Throws a 503 when there are too many.
    func run<Answer>(_ body: () async throws -> Answer) async throws -> Answer {
        let mayStart = underWay.withLock { count in
            guard count < max else { return false }
            count += 1
            return true
        }
        guard mayStart else {
            throw Problem.unavailable("\(max) \(name) already", retryAfterSeconds: retryAfterSeconds)
        }
        defer { underWay.withLock { $0 -= 1 } }
        return try await body()
    }
}
