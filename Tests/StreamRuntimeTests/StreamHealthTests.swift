import Testing

@testable import StreamRuntime

/// A thread that is gone or stuck has to show.
@Suite struct StreamHealthTests {
    @Test func threadsAreCountedByHowTheyAre() {
        let health = StreamHealth()
        #expect(health.threads == StreamHealth.ThreadCounts())
        health.prepared(threads: 3)
        #expect(health.threads == StreamHealth.ThreadCounts(alive: 3))
        health.died(thread: 0, reason: "the disk is full")
        for _ in 0..<10 { health.failed(thread: 1, reason: "not allowed") }
        #expect(health.threads == StreamHealth.ThreadCounts(alive: 1, stalled: 1, dead: 1))
        health.revived(thread: 0)
        health.succeeded(thread: 1)
        #expect(health.threads == StreamHealth.ThreadCounts(alive: 3))
    }

    @Test("a thread whose partitions were taken waits for the group again, whoever took them")
    func leaving() {
        let health = StreamHealth()
        health.prepared(threads: 2)
        for thread in 0..<2 { health.joined(thread: thread) }
        #expect(health.waitingFor.isEmpty)
        health.left(thread: 1)
        #expect(health.waitingFor == ["stream thread 1 has not joined the consumer group yet"])
        health.joined(thread: 1)
        #expect(health.waitingFor.isEmpty)
    }
}
