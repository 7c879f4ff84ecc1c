import Metrics
import PayloadModel
import Synchronization

/// How long stages take, by service: a metric of the process. Thread-safe.
final class StageDurations: Sendable {
    /// A stage has reached its first terminal status.
    struct Ended {
        let service: Text
        let seconds: Double

        /// Nil: the message ends no stage that had not ended before, or it is all that is known of its stage, so that nobody knows
        /// when it began.
        ///
        /// - Parameters:
        ///   - message: of a terminal status.
        ///   - state: the payload with the message folded in.
        init?(_ message: StatusMessage, in state: PayloadState) {
            guard let stage = state.stage(message.service, message.source), stage.entries.count > 1,
                stage.entries.indices.count(where: { stage.entries[$0].status.isTerminal }) == 1
            else { return nil }
            service = stage.service
            seconds = Double(message.entry.date.microseconds - stage.firstDate.microseconds) / 1e6
        }
    }

    private let timers = Mutex<[Text: Timer]>([:])

    /// Services are told apart up to this number, whatever producers send.
    private static let maxServices = 100
    private static let otherServices: Text = "other"

    func record(_ ended: [Ended]) {
        timers.withLock { timers in
            for stage in ended { StageDurations.timer(stage.service, &timers).recordSeconds(stage.seconds) }
        }
    }

    private static func timer(_ service: Text, _ timers: inout [Text: Timer]) -> Timer {
        if let known = timers[service] { return known }
        let name = timers.count < maxServices ? service : otherServices
        // The others share one, which is found under its own name.
        if let others = timers[name] { return others }
        let timer = Timer(label: "payload_tracker_stage_duration", dimensions: [("service", name.string)])
        timers[name] = timer
        return timer
    }
}
