import PayloadModel
import Synchronization

/// Who waits for a change of which payload. Told by the processors of a process what they have committed. Thread-safe.
public final class PayloadWaiters: Sendable {
    private struct Table {
        var nextNumber = 0
        var waiting: [PayloadID: [Int: AsyncStream<Void>.Continuation]] = [:]
    }

    private let table = Mutex(Table())
    /// So that a commit that nobody waits for costs nothing. Greater than 0 from before a waiter looks at the store, which is written
    /// before its commit is told: who looks too early is woken.
    private let count = Atomic(0)

    public init() {}

    /// How many streams there are.
    public var waiterCount: Int { count.load(ordering: .sequentiallyConsistent) }

    /// An element for each commit that changes the payload from now on; those that nobody has taken yet are one. A waiter registers
    /// first and looks at the store then.
    public func changes(of id: PayloadID) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        count.add(1, ordering: .sequentiallyConsistent)
        let number = table.withLock { table in
            table.nextNumber += 1
            table.waiting[id, default: [:]][table.nextNumber] = continuation
            return table.nextNumber
        }
        continuation.onTermination = { [weak self] _ in self?.remove(number, id) }
        return stream
    }

    private func remove(_ number: Int, _ id: PayloadID) {
        let isRemoved = table.withLock { table in
            guard table.waiting[id]?.removeValue(forKey: number) != nil else { return false }
            if table.waiting[id]?.isEmpty == true { table.waiting[id] = nil }
            return true
        }
        if isRemoved { count.subtract(1, ordering: .sequentiallyConsistent) }
    }

    /// The payloads' states are in the store.
    func committed(_ ids: some Sequence<PayloadID>) {
        if waiterCount == 0 { return }
        wake { table in ids.flatMap { table.waiting[$0].map { Array($0.values) } ?? [] } }
    }

    /// Has all of them look again, because a payload that they wait for may be elsewhere now.
    public func wakeAll() { wake { table in table.waiting.values.flatMap(\.values) } }

    private func wake(_ choose: (Table) -> [AsyncStream<Void>.Continuation]) {
        let woken = table.withLock { table in choose(table) }
        // Not under the lock: a stream that ends meanwhile asks for it.
        for continuation in woken { continuation.yield() }
    }
}
