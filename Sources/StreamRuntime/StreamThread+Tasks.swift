import Foundation
import KafkaClient
import Logging
import RocksStore

// From an assigned partition to a running task: outside the rebalance callback, and one that cannot be opened yet holds up no other.

extension StreamThread {
    /// How long tasks that cannot be opened may keep the thread from its records.
    private static let openingSeconds = 5.0
    private static let longestOpeningDelay = 30.0

    /// Of each of the brokers' answers that a task waits for before it opens: short where others wait for the thread.
    private var lookupTimeout: Duration { tasks.values.contains { $0.state == .running } ? .seconds(1) : .seconds(5) }

    /// Opens the stores of tasks that were assigned, and starts what needs no restore.
    func openCreatedTasks() throws(StreamError) {
        let now = monotonicSeconds()
        let created = tasks.values.filter { $0.state == .created && $0.retryAt <= now }
        if created.isEmpty { return }
        // All at once is quicker; one by one, those that can be opened are not held up by the others.
        let groups = [created] + (created.count > 1 ? created.map { [$0] } : [])
        for group in groups {
            let waiting = group.filter { $0.state == .created }
            if waiting.isEmpty { continue }
            do {
                try open(waiting)
            } catch {
                guard case .kafka(let reason) = error, reason.kind == .retriable else { throw error }
                logger.warning(
                    "cannot open \(waiting.map(\.id.description).sorted().joined(separator: ", ")) yet: \(reason)"
                )
                for task in waiting where task.state == .created || isStranded(task) {
                    task.state = .created
                    task.openFailures += 1
                    let delay = min(pow(2, Double(task.openFailures - 1)), StreamThread.longestOpeningDelay)
                    task.retryAt = monotonicSeconds() + delay
                }
            }
            if monotonicSeconds() - now > StreamThread.openingSeconds { return }
        }
    }

    private func open(_ created: [StreamTask]) throws(StreamError) {
        let partitions = created.map(\.id.topicPartition)
        let timeout = lookupTimeout
        // The committed offsets before the changelogs' ends: what was committed until then is within these.
        let commits = try withKafka { () throws(KafkaError) in try consumer.commits(of: partitions, timeout: timeout) }
        try commits.checkComplete(application.settings.applicationID)
        var offsets = commits.mapValues(\.offset)
        for (partition, end) in try lookup.ends(of: partitions, timeout: timeout) {
            guard let offset = offsets[partition], offset > end else { continue }
            logger.error(
                "\(partition): offset \(offset) is committed, but the log ends at \(end): it was truncated or made anew; reading what there is"
            )
            offsets[partition] = nil
        }
        var upstreamEnds: [String: [TopicPartition: Int64]] = [:]
        for upstream in Set(created.compactMap(\.source.upstream)) {
            upstreamEnds[upstream] = try lookup.ends(of: try partitionsOf(upstream), timeout: timeout)
        }
        let changelogs = created.compactMap(\.changelog)
        let starts = try lookup.starts(of: changelogs, timeout: timeout)
        let ends = try lookup.ends(of: changelogs, timeout: timeout)
        let stableEnds = try stableEnds(of: changelogs, timeout: timeout)
        for task in created {
            task.committed = offsets[task.id.topicPartition]
            task.position = task.committed
            task.isAtEnd = false
            guard let state = task.source.state, let changelog = task.changelog else {
                try start(task)
                continue
            }
            guard let start = starts[changelog], let end = ends[changelog] else {
                throw .kafka(KafkaError(.leaderNotAvailable, "\(changelog): its offsets cannot be found"))
            }
            task.catchUp = CatchUp(upstream: task.source.upstream.flatMap { upstreamEnds[$0] } ?? [:])
            let log = Changelog(
                partition: changelog,
                offsets: start...max(start, end),
                isStable: stableEnds[changelog] == end
            )
            try open(task, state, log)
        }
    }

    /// At read_committed the brokers answer with the last stable offset.
    private func stableEnds(of changelogs: [TopicPartition], timeout: Duration) throws(StreamError)
        -> [TopicPartition: Int64]
    {
        let ask = Dictionary(uniqueKeysWithValues: changelogs.map { ($0, Consumer.offsetEnd) })
        return try withKafka { () throws(KafkaError) in try consumer.offsets(at: ask, timeout: timeout) }
    }

    /// What a changelog partition holds.
    private struct Changelog {
        var partition: TopicPartition
        /// From its first record to its end, transactions that are open included.
        var offsets: ClosedRange<Int64>
        /// No transaction is open.
        var isStable: Bool
    }

    private func open(_ task: StreamTask, _ state: Topology.State, _ log: Changelog) throws(StreamError) {
        let count = try partitionCount(state.changelog)
        guard task.id.partition < count else {
            throw .incompatible(
                "\(task.id): changelog \(state.changelog) has only \(count) partitions; restore the partition count of \(task.id.topic), or use another application.id"
            )
        }
        let (store, offset) = try application.stores.acquire(
            task,
            state: state,
            partitionCount: count,
            within: log.offsets,
            currentEnd: { () throws(StreamError) in
                try lookup.ends(of: [log.partition], timeout: lookupTimeout)[log.partition] ?? log.offsets.upperBound
            }
        )
        task.store = store
        task.batch = WriteBatch(store.database)
        task.changelogOffset = offset
        task.state = .restoring
        let end = log.offsets.upperBound
        let hasAll = offset == end ? true : log.isStable ? try store.lacksOnlyMarker(before: end) : false
        let isUnfinished = try state.changelogReader.isUnfinished(store.database)
        if !hasAll || isUnfinished {
            application.tasks.update(task, state: .restoring)
            let range = Restorer.ChangelogRange(partition: log.partition, start: offset, end: end)
            try restorer.add(task, state, store: store, range)
        } else {
            try start(task)
        }
    }

    func start(_ task: StreamTask) throws(StreamError) {
        guard let collector else { return }
        if let store = task.store { task.changelogOffset = try store.changelogOffset() }
        openedTasks += 1
        task.opaque = openedTasks
        let context = ProcessorContext(
            id: task.id,
            store: task.store?.database,
            topics: application.catalog,
            clock: application.clock,
            // As if all partitions were here: another instance may leave at any time.
            cacheBytes: application.settings.cacheBytes / Int(try partitionCount(task.id.topic)),
            collector: collector
        )
        task.processor = try task.source.makeProcessor(context)
        let partition = task.id.topicPartition
        // Records that came before the task ran were not processed, and after a pause librdkafka may go on from anywhere: the
        // task starts at what is committed, whatever the consumer has read.
        // `input.offset-reset` is for the input alone: a record that was forwarded is always read.
        let isInput = application.topology.topics.contains { $0.name == task.id.topic && $0.role == .input }
        let startsAtEnd = isInput && application.settings.offsetReset == .latest
        let start = startsAtEnd ? Consumer.offsetEnd : Consumer.offsetBeginning
        task.hasReachedPosition = false
        try withKafka { () throws(KafkaError) in
            try consumer.resume([partition])
            try consumer.seek([partition: task.committed ?? start], timeout: .seconds(10))
        }
        task.state = .running
        task.openFailures = 0
        application.tasks.update(task, state: .running)
    }

    /// A store whose files are damaged is made anew from its changelog.
    func rebuild(_ error: StoreError) throws(StreamError) {
        guard let task = tasks.values.first(where: { application.stores.path($0.id) == error.path }) else {
            throw .store(error)
        }
        logger.error("\(task.id): \(error); rebuilding the store from the changelog")
        recover(from: KafkaError(.failed, "a store has to be rebuilt", kind: .abortable))
        restorer.remove(task)
        task.state = .created
        try application.stores.destroy(task.id)
    }

    private func partitionsOf(_ topic: String) throws(StreamError) -> [TopicPartition] {
        (0..<(try partitionCount(topic))).map { TopicPartition(topic: topic, partition: $0) }
    }

    private func partitionCount(_ topic: String) throws(StreamError) -> Int32 {
        guard let count = application.catalog[topic]?.partitionCount else {
            throw .incompatible("topic \(topic) is not part of the topology")
        }
        return count
    }
}
