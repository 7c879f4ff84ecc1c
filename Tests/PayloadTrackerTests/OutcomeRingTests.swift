import QueryService
import Testing

@testable import PayloadTracker

/// What listeners rely on: the ring never claims to have what it has not.
@Suite struct OutcomeRingTests {
    @Test("numbers outcomes as they come, and forgets the oldest when there are too many or they are too large")
    func bounds() throws {
        var ring = OutcomeRing(at: OutcomePosition(nextOffsets: [0, 100]), maxCount: 3, maxByteCount: 100)
        for offset in 0..<5 as Range<Int64> { ring.append(.sized(10, partition: 0, offset)) }
        #expect(ring.first == 2 && ring.next == 5)
        #expect(ring.start == OutcomePosition(nextOffsets: [2, 100]))
        #expect(ring.end == OutcomePosition(nextOffsets: [5, 100]))
        ring.append(.sized(85, partition: 1, 100))
        #expect(ring.first == 4 && ring.start == OutcomePosition(nextOffsets: [4, 100]))
        ring.append(.sized(1_000, partition: 1, 101))
        #expect(ring.first == 6 && ring.next == 7)
        #expect(ring.outcomes(from: 6, maxCount: 10, maxByteCount: 10)?.map(\.offset) == [101])
        #expect(ring.start == OutcomePosition(nextOffsets: [5, 101]))
    }

    @Test("gives what comes from a number on, and says when that is gone")
    func reading() {
        var ring = OutcomeRing(at: OutcomePosition(nextOffsets: [0]), maxCount: 4)
        #expect(ring.outcomes(from: 0, maxCount: 9, maxByteCount: 999)?.isEmpty == true)
        for offset in 0..<6 as Range<Int64> { ring.append(.sized(10, partition: 0, offset)) }
        #expect(ring.outcomes(from: 1, maxCount: 9, maxByteCount: 999) == nil)
        #expect(ring.outcomes(from: 2, maxCount: 9, maxByteCount: 999)?.map(\.offset) == [2, 3, 4, 5])
        #expect(ring.outcomes(from: 2, maxCount: 3, maxByteCount: 999)?.map(\.offset) == [2, 3, 4])
        #expect(ring.outcomes(from: 2, maxCount: 9, maxByteCount: 15)?.map(\.offset) == [2, 3])
        #expect(ring.outcomes(from: 6, maxCount: 9, maxByteCount: 999)?.isEmpty == true)
    }

    @Test("takes each offset once")
    func repeats() {
        var ring = OutcomeRing(at: OutcomePosition(nextOffsets: [7]), maxCount: 4)
        for offset in [6, 7, 7, 9, 8] as [Int64] { ring.append(.sized(10, partition: 0, offset)) }
        #expect(ring.outcomes(from: 0, maxCount: 9, maxByteCount: 999)?.map(\.offset) == [7, 9])
    }
}

extension CommittedOutcome {
    fileprivate static func sized(_ size: Int, partition: Int32, _ offset: Int64) -> CommittedOutcome {
        CommittedOutcome(
            partition: partition,
            offset: offset,
            type: "payload-failed",
            account: nil,
            orgID: nil,
            services: [],
            failedServices: [],
            json: Array(repeating: 0x20, count: size)
        )
    }
}
