import SeededRandom

/// An endless stream of messages of many payloads at once, one at each tick of a steady rate.
///
/// A payload's messages keep their own times; whenever no message is due at a tick, a new payload arrives. So the rate is
/// exact and the number of payloads under way finds itself. The same seed and epoch give the same stream.
struct TrafficGenerator: Sequence, IteratorProtocol {
    private let rate: Double
    private let timeScale: Double
    private let epoch: Int64
    private var random: SplitMix64
    private var queue = TrafficQueue()
    private var ticks = 0

    /// - Parameters:
    ///   - rate: messages a second, more than 0.
    ///   - timeScale: how slow payloads are; 1 is as in life, 0.1 ten times faster.
    ///   - epoch: the date when the stream begins, in microseconds since 1970.
    init(seed: UInt64, rate: Double, timeScale: Double = 1, epoch: Int64) {
        random = SplitMix64(seed: seed)
        self.rate = rate
        self.timeScale = timeScale
        self.epoch = epoch
    }

    /// Never nil.
    mutating func next() -> TrafficMessage? {
        let now = Duration.microseconds(Int64(Double(ticks) / rate * 1_000_000))
        ticks += 1
        if queue.first.map({ $0.time > now }) ?? true {
            arrive(at: now)
        }
        return queue.removeFirst().map { TrafficMessage(time: now, value: $0.value) }
    }

    /// Two arrivals in a hundred are garbage, the others are payloads.
    private mutating func arrive(at now: Duration) {
        if Int.random(in: 0..<100, using: &random) < 2 {
            let garbage = Garbage.usual[Int.random(in: 0..<Garbage.usual.count, using: &random)]
            queue.insert(TrafficMessage(time: now, value: garbage.value(using: &random)))
        } else {
            let payload = TrafficPayload(
                randomSequence(),
                start: now,
                epoch: epoch,
                timeScale: timeScale,
                using: &random
            )
            for message in payload.messages { queue.insert(message) }
        }
    }

    private mutating func randomSequence() -> TrafficSequence {
        let weights = TrafficSequence.all.reduce(0) { $0 + $1.weight }
        var ticket = Int.random(in: 0..<weights, using: &random)
        for sequence in TrafficSequence.all {
            if ticket < sequence.weight { return sequence }
            ticket -= sequence.weight
        }
        return .rhelUpload
    }
}
