import Foundation
import Synchronization

/// Ctrl-C and SIGTERM as a wish to end well; the second one ends at once.
enum Interruption {
    private static let requested = Atomic<Bool>(false)

    static var isRequested: Bool { requested.load(ordering: .relaxed) }

    /// For those who hear of the signals in another way: which of two handlers a signal reaches is chance.
    static func request() { requested.store(true, ordering: .relaxed) }

    /// Until a service takes the two signals over there is nothing that would have to be ended well.
    static func exitUntilServing() {
        for number in [SIGINT, SIGTERM] { signal(number) { _ in _exit(0) } }
    }

    /// From here on the two signals are wishes.
    static func install() {
        for number in [SIGINT, SIGTERM] {
            signal(number) { received in
                // All that a signal handler may do: an atomic store, and signal() itself.
                Interruption.requested.store(true, ordering: .relaxed)
                signal(received, SIG_DFL)
            }
        }
    }
}
