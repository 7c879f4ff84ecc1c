import Foundation
import Synchronization

/// The wall clock without its jumps. Timers measure by it how long a payload has not changed: if the system's clock were set forward by a
/// day, all open payloads would stall at once, and by a week, all would be removed. This one makes up for a jump while time passes: forward at
/// double speed, backward at half. A process that starts takes the system's clock as it is. Thread-safe; to read it takes no lock.
final class SteadyClock: Sendable {
    /// Microseconds.
    typealias Source = @Sendable () -> Int64

    private let wall: Source
    private let sinceBoot: Source
    /// What this clock is ahead of the time since boot.
    private let offset: Atomic<Int64>
    /// The time since boot at the last `steer`.
    private let steeredAt: Mutex<Int64>

    /// - Parameters:
    ///   - wall: the time since 1970, as the system has it.
    ///   - sinceBoot: time that passes evenly, while the machine is suspended, too.
    init(
        wall: @escaping Source = { SteadyClock.read(CLOCK_REALTIME) },
        sinceBoot: @escaping Source = { SteadyClock.read(CLOCK_BOOTTIME) }
    ) {
        self.wall = wall
        self.sinceBoot = sinceBoot
        let now = sinceBoot()
        offset = Atomic(wall() - now)
        steeredAt = Mutex(now)
    }

    /// Microseconds since 1970.
    func now() -> Int64 { sinceBoot() + offset.load(ordering: .relaxed) }

    /// Moves on towards the system's clock. To be called about once a second.
    ///
    /// - Returns: the microseconds by which this clock is still behind the system's; negative: ahead.
    func steer() -> Int64 {
        steeredAt.withLock { steeredAt in
            let now = sinceBoot()
            let passed = max(now - steeredAt, 0)
            steeredAt = now
            let behind = wall() - (now + offset.load(ordering: .relaxed))
            let step = min(max(behind, -passed / 2), passed)
            offset.add(step, ordering: .relaxed)
            return behind - step
        }
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }
}
