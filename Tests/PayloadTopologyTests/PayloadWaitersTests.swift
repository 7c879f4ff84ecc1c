import PayloadModel
import Testing

@testable import PayloadTopology

/// Who waits for a payload must hear of its change, and nobody may pay for who has gone.
@Suite struct PayloadWaitersTests {
    @Test("Every waiter of a payload is woken by its commits, also by those from before it listens")
    func waking() async throws {
        let waiters = PayloadWaiters()
        let (a, b) = (try PayloadID(normalizing: "a"), try PayloadID(normalizing: "b"))
        let streams = (0..<50).map { _ in waiters.changes(of: a) }
        let other = waiters.changes(of: b)
        waiters.committed([a, a])
        for stream in streams {
            var iterator = stream.makeAsyncIterator()
            #expect(await iterator.next() != nil)
        }
        waiters.committed([b])
        var iterator = other.makeAsyncIterator()
        #expect(await iterator.next() != nil)
    }

    @Test("Everybody is woken when a partition leaves, to go on waiting where it is now")
    func wakingAll() async throws {
        let waiters = PayloadWaiters()
        let streams = try ["a", "a", "b"].map { waiters.changes(of: try PayloadID(normalizing: $0)) }
        waiters.wakeAll()
        for stream in streams {
            var iterator = stream.makeAsyncIterator()
            #expect(await iterator.next() != nil)
        }
    }

    @Test("A waiter that goes away leaves nothing behind, whether it listened or not")
    func leaving() async throws {
        let waiters = PayloadWaiters()
        let id = try PayloadID(normalizing: "a")
        do {
            let unused = waiters.changes(of: id)
            #expect(waiters.waiterCount == 1)
            withExtendedLifetime(unused) {}
        }
        #expect(waiters.waiterCount == 0)
        let listening = Task { for await _ in waiters.changes(of: id) {} }
        while waiters.waiterCount == 0 { await Task.yield() }
        listening.cancel()
        await listening.value
        #expect(waiters.waiterCount == 0)
        waiters.committed([id])
    }
}
