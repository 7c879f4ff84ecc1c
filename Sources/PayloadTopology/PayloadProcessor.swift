import Foundation
import KafkaClient
import Metrics
import PayloadModel
import RocksStore
import StreamRuntime

/// Folds status messages into their payloads' states, tells outcomes, and fires timers: the heart of the tracker. One a partition.
final class PayloadProcessor: Processor {
    private let context: ProcessorContext
    private let rules: PayloadRules
    private let decoder: StatusDecoder
    private let outcomes: OutcomeWriter
    private var deadLetters: DeadLetters
    private var cache: PayloadCache
    private var timers: PayloadTimers
    private let tombstones = Counter(label: "payload_tracker_tombstones")
    private let accepted = Counter(label: "payload_tracker_status_messages")
    private let duplicates = Counter(label: "payload_tracker_duplicate_messages")

    init(
        _ context: ProcessorContext,
        topics: PayloadTopology.Topics,
        rules: PayloadRules,
        eventSource: String
    ) throws(StreamError) {
        guard let store = context.store else { throw .incompatible("task \(context.id) has no store") }
        self.context = context
        self.rules = rules
        decoder = StatusDecoder(vocabulary: rules.vocabulary, statusMessageMaxBytes: rules.statusMessageMaxBytes)
        outcomes = try OutcomeWriter(context, topic: topics.outcomes, source: eventSource)
        deadLetters = try DeadLetters(context, topic: topics.deadLetter)
        cache = PayloadCache(store, maxBytes: context.cacheBytes)
        timers = try PayloadTimers(store, rules: rules)
    }

    func process(_ record: borrowing ConsumedRecord) throws(StreamError) {
        guard let value = record.value else {
            tombstones.increment()
            return
        }
        do {
            let message = try decoder.decode(value, recordTimestamp: record.timestamp)
            try checkKey(of: record, message)
            try fold(message)
        } catch let refusal as Refusal {
            try deadLetters.send(record, refusal)
        } catch let error as StreamError {
            throw error
        } catch {
            throw .incompatible("unexpected error: \(error)")
        }
    }

    private func checkKey(of record: borrowing ConsumedRecord, _ message: StatusMessage) throws(Refusal) {
        let key = record.key
        let isKeyed = message.payloadID.withUTF8 { id in key.map { $0.elementsEqual(id) } ?? false }
        if isKeyed { return }
        throw Refusal(
            .misKeyed,
            "the record's key is not its normalised payload id \(message.payloadID); key the input by it",
            service: message.service
        )
    }

    private func fold(_ message: StatusMessage) throws {
        let payload = try cache.payload(message.payloadID)
        let result = try payload.state.fold(message, rules: rules)
        accepted.increment()
        switch result {
        case .unchanged: duplicates.increment()
        case .attributesChanged: try judge(payload, after: .attributes)
        case .entryAdded: try judge(payload, after: .entry)
        }
    }

    private func judge(_ payload: CachedPayload, after change: PayloadState.Change) throws(StreamError) {
        let now = Timestamp(microseconds: context.clock.now())
        let event = payload.state.judge(after: change, at: now, rules: rules)
        if let event { try outcomes.send(event) }
        cache.markDirty(payload)
    }

    // MARK: Time

    func punctuate(isCaughtUp: Bool) throws(StreamError) {
        guard isCaughtUp else { return }
        let now = Timestamp(microseconds: context.clock.now())
        for due in try timers.due(at: now) {
            let payload = try cache.payload(due.id)
            // A timer that its payload does not name was replaced since.
            guard payload.timerAt == due.time else { continue }
            payload.timerAt = nil
            if payload.state.isExpired(at: now, rules) {
                payload.state = PayloadState(id: due.id)
                cache.markDirty(payload)
            } else {
                try judge(payload, after: .time)
            }
        }
    }

    // MARK: Commit

    var uncommittedBytes: Int { cache.dirtyBytes }

    func writeState(_ writer: StateWriter) throws(StreamError) {
        try timers.writeFired(to: writer.batch)
        for payload in cache.dirtyPayloads {
            try payload.state.id.withUTF8 { key throws(StreamError) in
                // A payload without stages was removed, and did not come back since.
                if payload.state.stages.isEmpty {
                    try timers.set(nil, for: payload, key, in: writer.batch)
                    try withStore { () throws(StoreError) in try writer.batch.delete(PayloadStore.payloads, key: key) }
                    try writer.log(key: key, value: nil)
                } else {
                    try timers.set(payload.state.nextTimer(rules), for: payload, key, in: writer.batch)
                    try write(payload, key, writer)
                }
            }
        }
    }

    private func write(_ payload: CachedPayload, _ key: UnsafeRawBufferPointer, _ writer: StateWriter)
        throws(StreamError)
    {
        let encoded: [UInt8]
        do {
            encoded = try PayloadStateCodec.encode(payload.state, timerAt: payload.timerAt ?? payload.state.changedAt)
        } catch {
            throw .incompatible("payload \(payload.state.id) cannot be encoded: \(error)")
        }
        try encoded.span.bytes.withUnsafeBytes { value throws(StreamError) in
            try writer.log(key: key, value: value)
            try withStore { () throws(StoreError) in try writer.batch.put(PayloadStore.payloads, key: key, value: value)
            }
        }
    }

    func stateCommitted() {
        cache.committed()
        timers.committed()
    }
}
