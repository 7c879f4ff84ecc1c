import Testing

@testable import StreamRuntime

/// Lag that is not known must not look like none, and an end that was seen earlier than the position is no negative one.
@Suite struct TaskProgressTests {
    @Test(
        arguments: [(3, 10, 7), (10, 10, 0), (12, 10, 0), (nil, 10, nil), (3, nil, nil)] as [(Int64?, Int64?, Int64?)]
    )
    func lagIsWhatIsNotProcessed(position: Int64?, end: Int64?, lag: Int64?) {
        #expect(TaskDirectory.Progress(state: .running, position: position, endOffset: end).lag == lag)
    }
}
