/// A record's value and when to send it.
struct TrafficMessage: Sendable, Equatable {
    /// Time since the traffic began.
    var time: Duration
    var value: [UInt8]
}
