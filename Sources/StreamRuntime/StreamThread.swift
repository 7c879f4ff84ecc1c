import KafkaClient
import Logging
import RocksStore

/// One OS thread of the worker: polls, processes, punctuates, commits, as Kafka Streams' `StreamThread`. Shares nothing that changes with
/// other threads but what `ApplicationState` guards. All of it is called on that thread.
final class StreamThread {
    let application: ApplicationState
    let number: Int
    let logger: Logger
    let consumer: Consumer
    let restorer: Restorer
    var collector: RecordCollector
    var tasks: [TaskID: StreamTask] = [:]
    /// Tasks by topic handle and partition, for finding a record's task without making a string of its topic.
    private var tasksByHandle: [UnsafeRawPointer: [Int32: StreamTask]] = [:]
    /// An error from a callback, which cannot throw itself.
    var callbackError: StreamError?
    /// Each opened task has a number of its own, so that late delivery reports of an earlier one are not taken for its own.
    var openedTasks: UInt = 0
    private var lastCommit = monotonicSeconds()
    private var lastPunctuation = 0.0
    private var lookup: OffsetLookup
    private let commitInterval: Double

    private static let punctuationInterval = 0.1
    private static let maxPollRecords = 2_000
    /// Of all processors of a thread; a commit comes before its time where they hold back more.
    private static let maxUncommittedBytes = 64 << 20

    init(_ application: ApplicationState, number: Int) throws(StreamError) {
        self.application = application
        self.number = number
        logger = application.logger
        commitInterval = application.settings.commitInterval / .seconds(1)
        consumer = try withKafka { () throws(KafkaError) in
            try Consumer(application.groupConfiguration(thread: number), events: application.events)
        }
        collector = try StreamThread.makeCollector(application, number)
        restorer = Restorer(
            application.readerConfiguration(isolation: "read_committed"),
            events: application.events,
            catalog: application.catalog,
            logger: logger
        )
        lookup = OffsetLookup(
            application.readerConfiguration(isolation: "read_uncommitted"),
            events: application.events
        )
    }

    static func makeCollector(_ application: ApplicationState, _ number: Int) throws(StreamError) -> RecordCollector {
        try RecordCollector(
            application.settings.client,
            events: application.events,
            heartbeat: { application.health.beat(thread: number) },
            shouldStop: { application.mustStopNow }
        )
    }

    /// Works until the application stops. Throws what the thread cannot recover from.
    func run() throws(StreamError) {
        defer { lookup.close() }
        let topics = application.topology.sources.map(\.topic)
        try withKafka { () throws(KafkaError) in try consumer.subscribe(to: topics, rebalance: self) }
        do {
            while !application.isStopping { try stepOrRecover() }
        } catch {
            abandon()
            throw error
        }
        // Leaving the group revokes the partitions, which commits.
        consumer.close()
    }

    private func stepOrRecover() throws(StreamError) {
        do {
            try step()
        } catch {
            switch error {
            case .kafka(let error): try recover(from: error)
            // A record may be half processed, so what the processors hold must not be committed on the way out.
            case .stopped: dropUncommitted()
            case .store, .incompatible: throw error
            }
        }
    }

    private func step() throws(StreamError) {
        application.health.beat(thread: number)
        if let error = callbackError {
            callbackError = nil
            throw error
        }
        try openCreatedTasks()
        for task in try restorer.step() { try start(task) }
        try pollRecords()
        collector.poll()
        try punctuate()
        if isCommitDue { try commit() }
    }

    // MARK: Records

    private func pollRecords() throws(StreamError) {
        let now = monotonicSeconds()
        var wait = min(StreamThread.punctuationInterval, max(lastCommit + commitInterval - now, 0.001))
        if !restorer.isIdle { wait = 0 }
        for count in 1...StreamThread.maxPollRecords {
            guard let event = consumer.poll(timeout: .seconds(wait)) else { return }
            wait = 0
            switch consume event {
            case .record(let record): try process(record)
            case .partitionEnd(let partition, let offset): reachedEnd(of: partition, at: offset)
            case .error(let error): try consumerFailed(error)
            }
            if count % 64 == 0 && isCommitDue { return }
        }
    }

    private func consumerFailed(_ error: KafkaError) throws(StreamError) {
        logger.warning("consuming: \(error)")
        guard error.kind == .fatal else { return }
        throw .incompatible(
            "the worker has lost its place in the consumer group for good (\(error)); does another one run with its group.instance.id?"
        )
    }

    private func process(_ record: borrowing ConsumedRecord) throws(StreamError) {
        guard let task = task(of: record), let processor = task.processor else { return }
        // After a pause or a seek librdkafka may begin before the position that was asked for.
        if let position = task.position, record.offset < position { return }
        try processor.process(record)
        task.position = record.offset + 1
    }

    private func task(of record: borrowing ConsumedRecord) -> StreamTask? {
        if let task = tasksByHandle[record.topicHandle]?[record.partition] { return task }
        guard let task = tasks[TaskID(topic: record.topic, partition: record.partition)] else { return nil }
        tasksByHandle[record.topicHandle, default: [:]][record.partition] = task
        return task
    }

    func forgetHandles() { tasksByHandle = [:] }

    /// The last offsets may belong to control markers or to records that are gone: the position moves past them all the same.
    private func reachedEnd(of partition: TopicPartition, at offset: Int64) {
        guard let task = tasks[TaskID(topic: partition.topic, partition: partition.partition)], task.state == .running
        else { return }
        task.position = max(task.position ?? 0, offset)
    }

    // MARK: Time

    private var isCommitDue: Bool {
        if monotonicSeconds() - lastCommit >= commitInterval { return true }
        return tasks.values.reduce(0) { $0 + ($1.processor?.uncommittedBytes ?? 0) } > StreamThread.maxUncommittedBytes
    }

    func committed() { lastCommit = monotonicSeconds() }

    private func punctuate() throws(StreamError) {
        guard monotonicSeconds() - lastPunctuation >= StreamThread.punctuationInterval else { return }
        lastPunctuation = monotonicSeconds()
        for task in tasks.values {
            guard task.state == .running, let processor = task.processor else { continue }
            try catchUp(task)
            try processor.punctuate(isCaughtUp: task.catchUp?.isDone ?? true)
        }
        if tasks.values.allSatisfy({ $0.catchUp?.isDone ?? true }) { lookup.close() }
    }

    private func catchUp(_ task: StreamTask) throws(StreamError) {
        guard var catchUp = task.catchUp, !catchUp.isDone else { return }
        try catchUp.advance(position: task.position) { partitions throws(StreamError) in
            try committedOffsets(partitions)
        } end: { () throws(StreamError) in
            try lookup.end(of: task.id.topicPartition)
        }
        task.catchUp = catchUp
        if catchUp.isDone { logger.info("\(task.id): caught up with what was there when it was assigned") }
    }

    /// What this process knows of itself, and the group's coordinator of the others.
    private func committedOffsets(_ partitions: [TopicPartition]) throws(StreamError) -> [TopicPartition: Int64] {
        var offsets = application.tasks.committedOffsets(partitions)
        let others = partitions.filter { offsets[$0] == nil }
        if others.isEmpty { return offsets }
        let answered = try withKafka { () throws(KafkaError) in try consumer.committed(others, timeout: .seconds(10)) }
        offsets.merge(answered) { $1 }
        return offsets
    }

    // MARK: Tasks

    /// Opens the stores of tasks that were assigned, outside the rebalance callback, and starts what needs no restore.
    private func openCreatedTasks() throws(StreamError) {
        let created = tasks.values.filter { $0.state == .created }
        if created.isEmpty { return }
        let partitions = created.map(\.id.topicPartition)
        var offsets = try withKafka { () throws(KafkaError) in try consumer.committed(partitions, timeout: .seconds(10))
        }
        for (partition, end) in try lookup.ends(of: partitions) {
            guard let offset = offsets[partition], offset > end else { continue }
            logger.error(
                "\(partition): offset \(offset) is committed, but the log ends at \(end): it was truncated or made anew; reading what there is"
            )
            offsets[partition] = nil
        }
        var upstreamEnds: [String: [TopicPartition: Int64]] = [:]
        for task in created {
            task.committed = offsets[task.id.topicPartition]
            task.position = task.committed
            guard let state = task.source.state else {
                try start(task)
                continue
            }
            var ends: [TopicPartition: Int64] = [:]
            if let upstream = task.source.upstream {
                if upstreamEnds[upstream] == nil {
                    let partitions = try (0..<partitionCount(upstream)).map {
                        TopicPartition(topic: upstream, partition: $0)
                    }
                    upstreamEnds[upstream] = try lookup.ends(of: partitions)
                }
                ends = upstreamEnds[upstream] ?? [:]
            }
            task.catchUp = CatchUp(upstream: ends)
            try open(task, state)
        }
    }

    private func open(_ task: StreamTask, _ state: Topology.State) throws(StreamError) {
        let changelog = TopicPartition(topic: state.changelog, partition: task.id.partition)
        let count = try partitionCount(state.changelog)
        guard task.id.partition < count else {
            throw .incompatible(
                "\(task.id): changelog \(state.changelog) has only \(count) partitions; restore the partition count of \(task.id.topic), or use another application.id"
            )
        }
        let end = try lookup.end(of: changelog)
        var store = try application.stores.acquire(task.id, state: state, partitionCount: count)
        var offset = try store.changelogOffset()
        if offset > end {
            logger.error(
                "\(task.id): its store stands at changelog offset \(offset), but the changelog ends at \(end); rebuilding the store from the changelog"
            )
            try application.stores.destroy(task.id)
            store = try application.stores.acquire(task.id, state: state, partitionCount: count)
            offset = 0
        }
        task.store = store
        task.batch = WriteBatch(store.database)
        task.changelogOffset = offset
        task.state = .restoring
        if offset < end {
            application.tasks.update(task.id, state: .restoring, store: nil)
            try restorer.add(task, store: store, changelog: changelog, from: offset, to: end)
        } else {
            try start(task)
        }
    }

    private func start(_ task: StreamTask) throws(StreamError) {
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
        try withKafka { () throws(KafkaError) in
            try consumer.resume([partition])
            try consumer.seek([partition: task.committed ?? start], timeout: .seconds(10))
        }
        task.state = .running
        application.tasks.update(task.id, state: .running, store: task.store?.database)
    }

    private func partitionCount(_ topic: String) throws(StreamError) -> Int32 {
        guard let count = application.catalog[topic]?.partitionCount else {
            throw .incompatible("topic \(topic) is not part of the topology")
        }
        return count
    }
}
