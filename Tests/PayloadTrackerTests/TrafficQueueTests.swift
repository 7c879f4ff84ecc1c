import Testing
import SeededRandom

@testable import PayloadTracker

@Suite struct TrafficQueueTests {
    @Test("messages leave in the order of their times, and equal times in the order of arrival")
    func order() {
        var random = SplitMix64(seed: 7)
        var queue = TrafficQueue()
        var expected: [TrafficMessage] = []
        for index in 0..<500 {
            let time = Duration.seconds(Int.random(in: 0..<50, using: &random))
            let message = TrafficMessage(time: time, value: Array(String(index).utf8))
            queue.insert(message)
            expected.append(message)
        }
        // Stable, as `sort` is not promised to be.
        let sorted = expected.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }
        for (_, message) in sorted {
            #expect(queue.first == message)
            #expect(queue.removeFirst() == message)
        }
        #expect(queue.removeFirst() == nil)
    }
}
