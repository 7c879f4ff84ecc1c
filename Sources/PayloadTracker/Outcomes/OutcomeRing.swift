import QueryService

/// The newest outcomes, numbered as they came: what all listeners read from, each at its own place. Its size is all the memory that
/// any number of them takes.
struct OutcomeRing {
    /// All outcomes from here on are in the ring, or still to come.
    private(set) var start: OutcomePosition
    /// All outcomes before this have come.
    private(set) var end: OutcomePosition
    /// The number of the oldest outcome in the ring.
    private(set) var first: UInt64 = 0
    /// The number that the next outcome will get.
    private(set) var next: UInt64 = 0
    private var slots: [CommittedOutcome?]
    private var byteCount = 0
    private let maxByteCount: Int

    init(at position: OutcomePosition, maxCount: Int, maxByteCount: Int = 16 << 20) {
        start = position
        end = position
        slots = Array(repeating: nil, count: maxCount)
        self.maxByteCount = maxByteCount
    }

    /// An outcome that came before is left out: a client that reconnects to its broker may bring one again.
    mutating func append(_ outcome: CommittedOutcome) {
        guard end.advance(past: outcome.offset, of: outcome.partition) else { return }
        let isFull = next - first == UInt64(slots.count)
        if isFull { removeFirst() }
        while first < next, byteCount + outcome.json.count > maxByteCount { removeFirst() }
        slots[slot(next)] = outcome
        byteCount += outcome.json.count
        next += 1
    }

    /// Outcomes from this number on, up to a count and about a size; nil when some of them are gone.
    func outcomes(from number: UInt64, maxCount: Int, maxByteCount: Int) -> [CommittedOutcome]? {
        guard number >= first else { return nil }
        var found: [CommittedOutcome] = []
        var byteCount = 0
        for number in number..<max(next, number) {
            guard found.count < maxCount, byteCount < maxByteCount, let outcome = slots[slot(number)] else { break }
            found.append(outcome)
            byteCount += outcome.json.count
        }
        return found
    }

    private mutating func removeFirst() {
        let index = slot(first)
        first += 1
        guard let outcome = slots[index] else { return }
        slots[index] = nil
        byteCount -= outcome.json.count
        _ = start.advance(past: outcome.offset, of: outcome.partition)
    }

    private func slot(_ number: UInt64) -> Int { Int(number % UInt64(slots.count)) }
}
