import NIOPosix
import QueryService
import RocksStore
import StreamRuntime

/// How the stores of running tasks and standbys are read, which can close at any time.
enum StoreReading {
    /// How often a question that concerns all stores begins anew.
    private static let attempts = 3

    /// Reads on a thread that may wait for the disk. Nil: a store was closed meanwhile.
    static func read<Answer: Sendable>(_ body: @escaping @Sendable () throws -> Answer) async throws(ReadFailure)
        -> Answer?
    {
        do {
            return try await NIOThreadPool.singleton.runIfActive(body)
        } catch let error as StreamError {
            if case .store(let error) = error, error.kind == .closed { return nil }
            throw .store("\(error)")
        } catch {
            throw .store("\(error)")
        }
    }

    /// Reads `stores`, those that are left when one was closed meanwhile.
    static func readAll<Stores: Sendable, Answer: Sendable>(
        _ stores: () -> Stores,
        _ body: @escaping @Sendable (Stores) throws -> Answer
    ) async throws(ReadFailure) -> (stores: Stores, answer: Answer) {
        for _ in 0..<attempts {
            let stores = stores()
            if let answer = try await read({ try body(stores) }) { return (stores, answer) }
        }
        throw .noOwner(partition: nil, reason: "partitions are moving", retryAfterSeconds: 1)
    }
}
