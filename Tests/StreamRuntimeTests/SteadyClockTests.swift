import Synchronization
import Testing

@testable import StreamRuntime

/// All payloads would stall or be removed at once when somebody sets the machine's clock.
@Suite struct SteadyClockTests {
    private static let second: Int64 = 1_000_000
    private static let start: Int64 = 1_700_000_000 * second

    /// Clocks that the test sets.
    private final class Sources: Sendable {
        let wall = Mutex(SteadyClockTests.start)
        let sinceBoot = Mutex<Int64>(77)

        func pass(_ microseconds: Int64) {
            wall.withLock { $0 += microseconds }
            sinceBoot.withLock { $0 += microseconds }
        }

        func clock() -> SteadyClock {
            SteadyClock { [self] in
                wall.withLock { $0 }
            } sinceBoot: { [self] in
                sinceBoot.withLock { $0 }
            }
        }
    }

    @Test("it goes with the system's clock, whether it is steered or not")
    func follows() {
        let sources = Sources()
        let clock = sources.clock()
        #expect(clock.now() == Self.start)
        sources.pass(90 * Self.second)
        #expect(clock.now() == Self.start + 90 * Self.second)
        #expect(clock.steer() == 0)
        // As time servers adjust it.
        sources.wall.withLock { $0 += 5_000 }
        sources.pass(Self.second)
        #expect(clock.steer() == 0 && clock.now() == sources.wall.withLock { $0 })
    }

    @Test(
        "after a jump it goes at double or at half speed until it is there again",
        arguments: [3_600, -3_600] as [Int64]
    )
    func jump(_ seconds: Int64) {
        let sources = Sources()
        let clock = sources.clock()
        sources.wall.withLock { $0 += seconds * Self.second }
        #expect(clock.now() == Self.start)
        var before = clock.now()
        var ticks: Int64 = 0
        while true {
            sources.pass(Self.second)
            let behind = clock.steer()
            ticks += 1
            #expect(clock.now() - before == (seconds > 0 ? 2 * Self.second : Self.second / 2))
            before = clock.now()
            #expect(clock.now() + behind == sources.wall.withLock { $0 })
            if behind == 0 { break }
        }
        #expect(ticks == (seconds > 0 ? 3_600 : 7_200))
    }
}
