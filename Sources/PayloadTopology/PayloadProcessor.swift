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
    private let index: PayloadIndex
    private let observers: PayloadTopology.Observers
    /// Events that are not committed yet.
    private var told = PayloadActivity.Tally()
    private let tombstones = Counter(label: "payload_tracker_tombstones")
    private let accepted = Counter(label: "payload_tracker_status_messages")
    private let duplicates = Counter(label: "payload_tracker_duplicate_messages")
    /// Stages that have ended since the last commit.
    private var ended: [StageDurations.Ended] = []
    private let latency = Timer(label: "payload_tracker_end_to_end_latency")

    /// So many of the payloads that a commit changed are asked how long they took, so that a commit costs the same however many it has.
    private static let latencySamples = 100

    init(
        _ context: ProcessorContext,
        topics: PayloadTopology.Topics,
        rules: PayloadRules,
        eventSource: String,
        observers: PayloadTopology.Observers
    ) throws(StreamError) {
        guard let store = context.store else { throw .incompatible("task \(context.id) has no store") }
        self.context = context
        self.rules = rules
        self.observers = observers
        decoder = StatusDecoder(vocabulary: rules.vocabulary, statusMessageMaxBytes: rules.statusMessageMaxBytes)
        outcomes = try OutcomeWriter(context, topic: topics.outcomes, source: eventSource)
        deadLetters = try DeadLetters(context, topic: topics.deadLetter, activity: observers.activity)
        cache = PayloadCache(store, maxBytes: context.cacheBytes)
        index = try PayloadIndex(store, now: context.clock.now(), demand: observers.listDemand)
        try PayloadRecomputation.run(in: store, rules: rules, index: index)
        timers = PayloadTimers(store)
    }

    func process(_ record: borrowing ConsumedRecord) throws(StreamError) {
        guard let value = record.value else {
            tombstones.increment()
            return
        }
        do {
            let message = try decoder.decode(value, recordTimestamp: record.timestamp)
            try checkKey(of: record, message)
            try fold(message, recordTimestamp: record.timestamp >= 0 ? record.timestamp : nil)
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

    private func fold(_ message: StatusMessage, recordTimestamp: Int64?) throws {
        let payload = try cache.payload(message.payloadID)
        let result = try payload.state.fold(message, rules: rules)
        accepted.increment()
        switch result {
        case .unchanged: duplicates.increment()
        case .attributesChanged: try judge(payload, after: .attributes, recordTimestamp: recordTimestamp)
        case .entryAdded:
            if message.entry.status.isTerminal, let stage = StageDurations.Ended(message, in: payload.state) {
                ended.append(stage)
            }
            let addedBytes = message.entry.message?.byteCount ?? 0
            try judge(payload, after: .entry, addedBytes: addedBytes, recordTimestamp: recordTimestamp)
        }
    }

    private func judge(
        _ payload: CachedPayload,
        after change: PayloadState.Change,
        addedBytes: Int = 0,
        recordTimestamp: Int64? = nil
    ) throws(StreamError) {
        let now = Timestamp(microseconds: context.clock.now())
        let event = payload.state.judge(after: change, at: now, rules: rules)
        if let event {
            try outcomes.send(event)
            told.count(event)
        }
        cache.markDirty(payload, addedBytes: addedBytes, recordTimestamp: recordTimestamp)
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
            // What is due is told before the payload goes: a worker may have been down for longer than both times.
            try judge(payload, after: .time)
            if payload.state.isExpired(at: now, rules) { payload.state = PayloadState(id: due.id) }
        }
    }

    // MARK: Commit

    var uncommittedBytes: Int { cache.dirtyBytes }

    func writeState(_ writer: StateWriter) throws(StreamError) {
        let now = context.clock.now()
        try timers.writeFired(to: writer.batch)
        cache.sortDirtyPayloads()
        for payload in cache.dirtyPayloads {
            let state = payload.state
            try state.id.withUTF8 { key throws(StreamError) in
                // A payload without stages was removed, and did not come back since.
                let isRemoved = state.stages.isEmpty
                let facets = isRemoved ? nil : PayloadFacets(state, rules: rules)
                try index.replace(state.id, key, from: payload.facets, to: facets, at: now, in: writer.batch)
                payload.facets = facets
                let timer = isRemoved ? nil : state.nextTimer(rules)
                try timers.set(timer, for: payload, key, in: writer.batch)
                if let facets {
                    try write(state, timerAt: payload.timerAt ?? state.changedAt, facets, key, writer)
                } else {
                    try withStore { () throws(StoreError) in try writer.batch.delete(PayloadStore.payloads, key: key) }
                    try writer.log(key: key, value: nil)
                }
            }
        }
        try index.finish(writer.batch, at: now)
    }

    private func write(
        _ state: PayloadState,
        timerAt: Timestamp,
        _ facets: PayloadFacets,
        _ key: UnsafeRawBufferPointer,
        _ writer: StateWriter
    ) throws(StreamError) {
        let encoded = PayloadStateCodec.encode(state, timerAt: timerAt)
        try encoded.span.bytes.withUnsafeBytes { value throws(StreamError) in
            try writer.log(key: key, value: value)
        }
        let stored = PayloadStore.encode(facets, encoded)
        try stored.span.bytes.withUnsafeBytes { value throws(StreamError) in
            try withStore { () throws(StoreError) in try writer.batch.put(PayloadStore.payloads, key: key, value: value)
            }
        }
    }

    func stateCommitted() {
        observers.waiters.committed(cache.dirtyPayloads.lazy.map(\.state.id))
        if !told.isEmpty {
            observers.activity.add(told)
            told = PayloadActivity.Tally()
        }
        if !ended.isEmpty {
            observers.stageDurations.record(ended)
            ended.removeAll(keepingCapacity: true)
        }
        recordLatency()
        cache.committed()
        timers.committed()
    }

    /// From the oldest record that changed a payload in this commit until now, for payloads evenly spread over the commit.
    private func recordLatency() {
        let now = context.clock.now()
        let changed = cache.dirtyPayloads
        let step = changed.count / PayloadProcessor.latencySamples + 1
        for index in stride(from: 0, to: changed.count, by: step) {
            guard let timestamp = changed[index].changedByRecordAt else { continue }
            // Clocks differ.
            latency.recordSeconds(max(Double(now) / 1e6 - Double(timestamp) / 1e3, 0))
        }
    }
}
