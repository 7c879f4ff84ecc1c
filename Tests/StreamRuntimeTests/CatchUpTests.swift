import KafkaClient
import Testing

@testable import StreamRuntime

/// A user would be told that a payload stalled or completed although its further messages were already waiting.
@Suite struct CatchUpTests {
    private let input0 = TopicPartition(topic: "input", partition: 0)
    private let input1 = TopicPartition(topic: "input", partition: 1)

    @Test func waitsForTheUpstreamBeforeItAsksForItsOwnEnd() {
        var catchUp = CatchUp(upstream: [input0: 10, input1: 5])
        catchUp.committed([input0: 10, input1: 4])
        catchUp.processed(to: 100)
        #expect(!catchUp.needsEnd)
        #expect(catchUp.awaitedUpstream == [input1])

        catchUp.committed([input1: 5])
        #expect(catchUp.needsEnd)
        catchUp.found(end: 7)
        catchUp.processed(to: 6)
        #expect(!catchUp.isDone)

        catchUp.processed(to: 7)
        #expect(catchUp.isDone)
    }

    @Test func anEmptyUpstreamAndAnEmptyPartitionAreCaughtUpAtOnce() {
        var catchUp = CatchUp(upstream: [input0: 0])
        #expect(catchUp.awaitedUpstream.isEmpty)
        catchUp.found(end: 0)
        catchUp.processed(to: nil)
        #expect(catchUp.isDone)
    }

    @Test func anUpstreamThatNobodyCommittedIsNotCaughtUp() {
        var catchUp = CatchUp(upstream: [input0: 1])
        catchUp.committed([:])
        catchUp.found(end: 0)
        catchUp.processed(to: 50)
        #expect(!catchUp.isDone)
    }

    @Test func anEndThatWasLookedUpTooEarlyDoesNotCount() {
        var catchUp = CatchUp(upstream: [input0: 1])
        catchUp.found(end: 3)
        catchUp.committed([input0: 1])
        catchUp.processed(to: 3)
        #expect(!catchUp.isDone)
    }
}
