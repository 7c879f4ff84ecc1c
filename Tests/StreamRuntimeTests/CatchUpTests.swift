import KafkaClient
import Testing

@testable import StreamRuntime

/// A user would be told that a payload stalled or completed although its further messages were already waiting.
@Suite struct CatchUpTests {
    private let input0 = TopicPartition(topic: "input", partition: 0)
    private let input1 = TopicPartition(topic: "input", partition: 1)

    @Test func waitsForTheUpstreamBeforeItAsksForItsOwnEnd() throws {
        var catchUp = CatchUp(upstream: [input0: 10, input1: 5])
        var committed = [input0: Int64(10), input1: 4]
        var askedForEnd = false
        func advance(position: Int64?) throws(StreamError) {
            try catchUp.advance(position: position) { partitions throws(StreamError) in
                committed.filter { partitions.contains($0.key) }
            } end: { () throws(StreamError) in
                askedForEnd = true
                return 7
            }
        }
        try advance(position: 100)
        #expect(!askedForEnd)
        #expect(!catchUp.isDone)

        committed[input1] = 5
        try advance(position: 6)
        #expect(askedForEnd)
        #expect(!catchUp.isDone)

        try advance(position: 7)
        #expect(catchUp.isDone)
    }

    @Test func anEmptyUpstreamAndAnEmptyPartitionAreCaughtUpAtOnce() throws {
        var catchUp = CatchUp(upstream: [input0: 0])
        try catchUp.advance(position: nil) { _ throws(StreamError) in
            Issue.record("nothing has to be asked")
            return [:]
        } end: { () throws(StreamError) in
            0
        }
        #expect(catchUp.isDone)
    }

    @Test func anUpstreamThatNobodyCommittedIsNotCaughtUp() throws {
        var catchUp = CatchUp(upstream: [input0: 1])
        try catchUp.advance(position: 50) { _ throws(StreamError) in
            [:]
        } end: { () throws(StreamError) in
            0
        }
        #expect(!catchUp.isDone)
    }
}
