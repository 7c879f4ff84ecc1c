extension Duration {
    /// For librdkafka's timeouts: rounded up to whole milliseconds, never negative (that would mean "for ever").
    var milliseconds: Int32 {
        // Asked for with every record, where the division below would be felt.
        if self == .zero { return 0 }
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < Int64(Int32.max) / 1000 else { return .max }
        let attosecondsPerMillisecond: Int64 = 1_000_000_000_000_000
        return Int32(seconds * 1000 + (attoseconds + attosecondsPerMillisecond - 1) / attosecondsPerMillisecond)
    }
}
