import PayloadModel
import RocksStore
import StreamRuntime

/// The timers of a partition's payloads, in their store. A payload has one, at the time when its outcome may next change by time alone or
/// it expires. A timer that would move to later stays where it is: firing early, it is set anew, and that costs less than moving it with every
/// message.
struct PayloadTimers {
    private let store: Database
    /// No timer in the store is earlier.
    private var earliest = Timestamp(microseconds: 0)
    /// Fired, and still in the store until the next commit.
    private var fired: [[UInt8]] = []

    private static let maxFiredAtOnce = 1_000

    init(_ store: Database) { self.store = store }

    /// Ids whose timers are due, in their order, with the time of each. Each is given once.
    mutating func due(at now: Timestamp) throws(StreamError) -> [(time: Timestamp, id: PayloadID)] {
        if now < earliest { return [] }
        var due: [(time: Timestamp, id: PayloadID)] = []
        do {
            let start =
                fired.last.map { $0 + [0] }
                ?? PayloadStore.timerKey(earliest, UnsafeRawBufferPointer(start: nil, count: 0))
            var iterator = try store.makeIterator(PayloadStore.timers, range: KeyRange(from: start))
            var isValid = try iterator.seekToFirst()
            var next: Timestamp?
            while isValid {
                guard let timer = PayloadStore.timer(fromKey: iterator.key) else { break }
                if timer.time > now || due.count == PayloadTimers.maxFiredAtOnce {
                    next = timer.time
                    break
                }
                due.append(timer)
                fired.append(Array(iterator.key))
                isValid = try iterator.next()
            }
            // Timers that are set later than this lower it again.
            earliest = next ?? Timestamp(microseconds: .max)
        } catch {
            throw .store(error)
        }
        return due
    }

    /// Removes what fired from the store.
    mutating func writeFired(to batch: WriteBatch) throws(StreamError) {
        for key in fired { try withStore { () throws(StoreError) in try batch.delete(PayloadStore.timers, key: key) } }
    }

    /// Sets the payload's timer, unless it has one that comes no later; nil: it needs none.
    mutating func set(
        _ time: Timestamp?,
        for payload: CachedPayload,
        _ key: UnsafeRawBufferPointer,
        in batch: WriteBatch
    ) throws(StreamError) {
        if let current = payload.timerAt {
            if let time, current <= time { return }
            try withStore { () throws(StoreError) in
                try batch.delete(PayloadStore.timers, key: PayloadStore.timerKey(current, key))
            }
        }
        payload.timerAt = time
        guard let time else { return }
        try withStore { () throws(StoreError) in
            try batch.put(PayloadStore.timers, key: PayloadStore.timerKey(time, key), value: [])
        }
        earliest = min(earliest, time)
    }

    mutating func committed() { fired.removeAll(keepingCapacity: true) }
}
