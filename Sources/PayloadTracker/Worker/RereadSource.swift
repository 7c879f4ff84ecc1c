import Logging
import ServiceLifecycle

/// What operators change while this runs, read again every few seconds. What is wrong with it is told once.
struct RereadSource: Service {
    let logger: Logger
    // Not inotify: a mounted Secret is replaced by links, and five seconds are soon enough.
    var pause = RereadSource.pauseAfterTrouble
    /// Whether it has not been read yet.
    var isFirst = false
    /// Takes what is there now. Returns what there is to tell of a change; when it throws, what was read before still holds.
    let take: @Sendable () async throws(SettingsError) -> String?

    private static let pauseAfterTrouble = Duration.seconds(5)

    func run() async {
        var lastTrouble: SettingsError?
        var next = isFirst ? .zero : pause
        while true {
            // Throws when it is cut short, which the next line asks about.
            try? await cancelWhenGracefulShutdown { [next] in try await Task.sleep(for: next) }
            if Task.isShuttingDownGracefully || Task.isCancelled { return }
            do throws(SettingsError) {
                if let change = try await take() { logger.notice("\(change)") }
                lastTrouble = nil
                next = pause
            } catch {
                if error != lastTrouble { logger.error("\(error); what was read before still holds") }
                lastTrouble = error
                next = RereadSource.pauseAfterTrouble
            }
        }
    }
}
