#if DEBUG
import Foundation
import Synchronization

/// For the crash scenarios of `integration/`, in debug builds alone: `KILL_AT_COMMIT_STEP=offsetsSent:7` kills the process, as
/// kill -9 does, when a commit gets to that step for the seventh time.
final class StepKill<Step: RawRepresentable<String> & Equatable & Sendable>: Sendable {
    private let step: Step
    private let left: Atomic<Int>

    /// Nil: nobody asked for it.
    init?(_ variable: String, _ environment: [String: String] = ProcessInfo.processInfo.environment) {
        guard let parts = environment[variable]?.split(separator: ":"), parts.count == 2,
            let step = Step(rawValue: String(parts[0])), let count = Int(parts[1])
        else {
            return nil
        }
        self.step = step
        left = Atomic(count)
    }

    func reached(_ step: Step) {
        guard step == self.step else { return }
        if left.subtract(1, ordering: .relaxed).newValue == 0 { kill(getpid(), SIGKILL) }
    }
}
#endif
