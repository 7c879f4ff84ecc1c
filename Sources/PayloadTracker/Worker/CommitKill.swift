#if DEBUG
import Foundation
import StreamRuntime
import Synchronization

/// For the crash scenarios of `integration/`, in debug builds alone: `KILL_AT_COMMIT_STEP=offsetsSent:7` kills the process, as
/// kill -9 does, when a commit gets to that step for the seventh time.
final class CommitKill: Sendable {
    private let step: CommitStep
    private let left: Atomic<Int>

    /// Nil: nobody asked for it.
    init?(_ environment: [String: String] = ProcessInfo.processInfo.environment) {
        guard let parts = environment["KILL_AT_COMMIT_STEP"]?.split(separator: ":"), parts.count == 2,
            let step = CommitStep(rawValue: String(parts[0])), let count = Int(parts[1])
        else {
            return nil
        }
        self.step = step
        left = Atomic(count)
    }

    func reached(_ step: CommitStep) {
        guard step == self.step else { return }
        if left.subtract(1, ordering: .relaxed).newValue == 0 { kill(getpid(), SIGKILL) }
    }
}
#endif
