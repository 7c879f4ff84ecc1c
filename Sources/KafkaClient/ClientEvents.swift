/// What a client tells besides records: the library's log lines, errors that belong to no call, statistics.
public struct ClientEvents: Sendable {
    /// A log line: its level, the library's facility (such as `FAIL` or `REBALANCE`), its text. Called on the library's
    /// own threads: do not block in it, and do not call the client.
    public var log: @Sendable (LogLevel, _ facility: String, _ message: String) -> Void
    /// An error of the whole client, such as all brokers being down. Called inside `poll`, on the polling thread. The
    /// library goes on by itself unless the kind is fatal. `Admin` and `EmbeddedBroker`, which are not polled, log instead.
    public var error: @Sendable (KafkaError) -> Void
    /// librdkafka's statistics, one JSON document, every `statistics.interval.ms` (0, the default, means never). Called
    /// inside `poll`, on the polling thread.
    public var statistics: @Sendable (String) -> Void

    public init(
        log: @escaping @Sendable (LogLevel, _ facility: String, _ message: String) -> Void = { _, _, _ in },
        error: @escaping @Sendable (KafkaError) -> Void = { _ in },
        statistics: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.log = log
        self.error = error
        self.statistics = statistics
    }

    /// syslog's levels, which are librdkafka's.
    public enum LogLevel: Int32, Sendable, Comparable {
        case emergency, alert, critical, error, warning, notice, informational, debug

        /// The more severe is the smaller.
        public static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
    }
}
