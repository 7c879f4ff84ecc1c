/// What the services say of one kind of payload, from its arrival to its end.
struct TrafficSequence: Sendable {
    let name: String
    /// How the payload ends, as the tracker should tell it with its default settings.
    let ending: Ending
    /// How common this kind is: a weight among all kinds.
    let weight: Int
    /// In the order of their times; the first is at 0.
    let steps: [Step]

    enum Ending: String, Sendable {
        case completed, failed, stalled
    }

    /// One status message.
    struct Step: Sendable {
        /// Time since the payload's first message.
        let time: Duration
        let service: String
        let source: String?
        /// The producer's own word.
        let status: String
        let message: String?
        /// Which of the payload's hosts it names by inventory id.
        let host: Int?

        init(
            _ seconds: Double,
            _ service: String,
            _ status: String,
            _ message: String? = nil,
            source: String? = nil,
            host: Int? = nil
        ) {
            time = .milliseconds(Int64((seconds * 1000).rounded()))
            self.service = service
            self.status = status
            self.message = message
            self.source = source
            self.host = host
        }
    }

    /// How many hosts the payload carries.
    var hostCount: Int { (steps.compactMap(\.host).max() ?? -1) + 1 }
}
