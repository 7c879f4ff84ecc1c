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
}
