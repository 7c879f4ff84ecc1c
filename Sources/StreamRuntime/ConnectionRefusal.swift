/// Why a broker that answers does not let a client in, or is not trusted by it, out of a log line of librdkafka.
///
/// The library has error events with codes for it, but tells them only to clients that are polled, which is none before the topics are known.
struct ConnectionRefusal: Hashable {
    /// Without the broker, the time that it took and the count of repetitions, so that one cause reads the same each time.
    let reason: String

    /// Nil: the line is of something else, such as a broker that is away.
    init?(facility: String, message: String) {
        // `[thrd:NAME]: BROKER: REASON (after …ms in state …)`, where `log.thread.name` may be off.
        let broker = message.hasPrefix("[") ? message.firstRange(of: "]: ")?.upperBound : nil
        guard facility == "FAIL", let colon = message[(broker ?? message.startIndex)...].firstRange(of: ": ") else {
            return nil
        }
        let text = message[colon.upperBound...]
        guard ["SASL", "SSL handshake", "security.protocol"].contains(where: { text.contains($0) }) else { return nil }
        reason = String(text.prefix(upTo: text.firstRange(of: " (after ")?.lowerBound ?? text.endIndex))
    }
}
