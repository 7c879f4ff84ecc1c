import KafkaClient
import Logging
import Metrics
import RocksStore

/// One OS thread of the worker: polls, processes, punctuates, commits, as Kafka Streams' `StreamThread`. Shares nothing that changes with
/// other threads but what `ApplicationState` guards. All of it is called on that thread.
final class StreamThread {
    let application: ApplicationState
    let number: Int
    let logger: Logger
    let consumer: Consumer
    let restorer: Restorer
    /// Nil while it is being made.
    var collector: RecordCollector?
    /// Made, and not yet known to the transaction coordinator.
    private var newCollector: RecordCollector?
    /// Given up, and not yet closed: that may take a while.
    var spentCollectors: [RecordCollector] = []
    var tasks: [TaskID: StreamTask] = [:]
    /// Tasks by topic handle and partition, for finding a record's task without making a string of its topic.
    private var tasksByHandle: [UnsafeRawPointer: [Int32: StreamTask]] = [:]
    /// The last one that was asked for: records come in runs of one partition.
    private var lastTask: (handle: UnsafeRawPointer, partition: Int32, task: StreamTask)?
    /// An error from a callback, which cannot throw itself.
    var callbackError: StreamError?
    /// Each opened task has a number of its own, so that late delivery reports of an earlier one are not taken for its own.
    var openedTasks: UInt = 0
    /// Monotonic seconds before which nothing that failed is tried again.
    var retryAt = 0.0
    /// Grows with every failure until a commit succeeds.
    var retryDelay = shortestRetryDelay
    private var commitPace: CommitPace
    private let commitTimer = Timer(label: "payload_tracker_commit_duration")
    let commitFailures = Counter(label: "payload_tracker_commit_failures")
    let rebalances = Counter(label: "payload_tracker_rebalances")
    var phases = ThreadPhases()
    private var lastPunctuation = 0.0
    private var lastCatchUp = 0.0
    /// When who fetches was last looked after, monotonic seconds, and the time until the next look.
    private var lastFetchLook = 0.0
    private var fetchLookPause = shortestFetchLookPause
    /// It has read all that had come, and knows of records that are on their way. As it was at `lastEndLook`.
    private var isBehind = false
    private var lastEndLook = 0.0
    var lookup: OffsetLookup

    private static let punctuationInterval = 0.1
    /// Between two questions of what the tasks wait for that are not caught up.
    private static let catchUpInterval = 0.5
    private static let maxPollRecords = 2_000
    /// Records in the consumer's queue: with fewer, more have to be on their way.
    private static let shortQueue = StreamSettings.queuedRecords / 2
    /// Seconds. The longer one where waking brings nothing, because a broker is away, say.
    private static let shortestFetchLookPause = 0.01
    private static let longestFetchLookPause = 1.0
    /// With this, nothing has come of what is missing for a tenth of a second, about.
    private static let vainFetchLookPause = 0.08
    private static let endLookPause = 0.01
    private static let shortestRetryDelay = 0.25
    static let longestRetryDelay = 10.0

    init(_ application: ApplicationState, number: Int) throws(StreamError) {
        self.application = application
        self.number = number
        logger = application.logger
        commitPace = CommitPace(longest: application.longestCommitInterval)
        do throws(KafkaError) {
            consumer = try Consumer(
                application.settings.groupConfiguration(thread: number, of: application.ownership.own),
                events: application.events
            )
            newCollector = try StreamThread.makeCollector(application, number)
        } catch {
            throw .refusedSettings(ofClient: error)
        }
        restorer = Restorer(
            application.settings.readerConfiguration(isolation: "read_committed"),
            events: application.events,
            catalog: application.catalog,
            logger: logger
        )
        lookup = OffsetLookup(
            application.settings.readerConfiguration(isolation: "read_uncommitted"),
            events: application.events
        )
    }

    private static func makeCollector(_ application: ApplicationState, _ number: Int) throws(KafkaError)
        -> RecordCollector
    {
        try RecordCollector(
            application.collectorSettings(thread: number),
            events: application.events,
            heartbeat: { application.health.beat(thread: number) },
            shouldStop: { application.mustStopNow }
        )
    }

    /// Works until the application stops. Throws what the thread cannot recover from.
    func run() throws(StreamError) {
        defer { lookup.close() }
        Database.stopCountingForThread()
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
        closeSpentCollectors()
        collector?.close()
        restorer.close()
    }

    private func closeSpentCollectors() {
        for collector in spentCollectors { collector.close(waits: false) }
        spentCollectors = []
    }

    private func stepOrRecover() throws(StreamError) {
        do {
            try step()
        } catch {
            switch error {
            case .kafka(let error): recover(from: error)
            // A record may be half processed, so what the processors hold must not be committed on the way out.
            case .stopped: dropUncommitted()
            case .store(let error) where error.kind == .corruption: try rebuild(error)
            case .store, .incompatible, .fenced, .refusedSettings: throw error
            }
        }
    }

    private func step() throws(StreamError) {
        application.health.beat(thread: number)
        if let error = callbackError {
            callbackError = nil
            throw error
        }
        closeSpentCollectors()
        try prepareCollector()
        if collector != nil {
            try openCreatedTasks()
            for task in try restorer.step() { try start(task) }
        }
        phases.spent(on: .restore)
        try pollRecords()
        collector?.poll()
        phases.spent(on: .process)
        try punctuate()
        phases.spent(on: .punctuate)
        if isCommitDue { try commit() }
    }

    /// Makes the producers ready where they are not. The thread goes on polling meanwhile, so that it stays in the group.
    private func prepareCollector() throws(StreamError) {
        guard collector == nil, monotonicSeconds() >= retryAt else { return }
        do throws(KafkaError) {
            if newCollector == nil { newCollector = try StreamThread.makeCollector(application, number) }
            guard let made = newCollector else { return }
            if try made.initTransactions(timeout: .seconds(1)) {
                collector = made
                newCollector = nil
            }
        } catch {
            newCollector = nil
            throw .kafka(error)
        }
    }

    // MARK: Records

    private func pollRecords() throws(StreamError) {
        let untilCommit = commitPace.secondsLeft(hasUncommitted: hasUncommitted)
        let untilSent = collector?.secondsUntilHeldIsDue ?? .infinity
        var wait = Duration.seconds(max(min(StreamThread.punctuationInterval, untilCommit, untilSent), 0))
        if isBehind { wait = min(wait, .seconds(StreamThread.endLookPause)) }
        if !restorer.isIdle { wait = .zero }
        // Nothing can be committed meanwhile, however overdue it is.
        if collector == nil { wait = .seconds(StreamThread.punctuationInterval) }
        commitPace.isIdle = false
        for count in 1...StreamThread.maxPollRecords {
            let event = consumer.poll(timeout: wait)
            if count == 1 { phases.spent(on: .wait) }
            guard let event else {
                collector?.sendHeld()
                fetchInTime()
                // Who only waits for what is being fetched has a backlog.
                lookWhetherBehind()
                commitPace.isIdle = !isBehind
                return
            }
            wait = .zero
            switch consume event {
            case .record(let record): try process(record)
            case .partitionEnd(let partition, let offset): reachedEnd(of: partition, at: offset)
            case .error(let error, let partition): try consumerFailed(error, partition)
            }
            if count % 64 == 0 {
                fetchInTime()
                if isCommitDue { return }
            }
        }
    }

    /// Has the library go on fetching before it has run out of records, where there are more.
    private func fetchInTime() {
        guard consumer.queuedCount < StreamThread.shortQueue,
            monotonicSeconds() - lastFetchLook >= fetchLookPause
        else { return }
        lastFetchLook = monotonicSeconds()
        let behind = tasksBehind
        let isInVain = !behind.isEmpty && behind.allSatisfy { $0.position == $0.positionAtFetchLook }
        fetchLookPause =
            isInVain
            ? min(fetchLookPause * 2, StreamThread.longestFetchLookPause) : StreamThread.shortestFetchLookPause
        for task in behind { task.positionAtFetchLook = task.position }
        consumer.resumeFetching(behind.map(\.id.topicPartition))
    }

    /// After all that had come was read; not each time, for it costs as much as some messages.
    private func lookWhetherBehind() {
        guard monotonicSeconds() - lastEndLook >= StreamThread.endLookPause else { return }
        lastEndLook = monotonicSeconds()
        isBehind = fetchLookPause < StreamThread.vainFetchLookPause && !tasksBehind.isEmpty
    }

    private var tasksBehind: [StreamTask] {
        tasks.values.filter { task in
            // At its end a partition may have an open transaction, or markers of ended ones.
            guard task.state == .running, !task.isAtEnd, let position = task.position,
                let end = consumer.knownEnd(of: task.id.topicPartition)
            else { return false }
            return position < end - 1
        }
    }

    private func consumerFailed(_ error: KafkaError, _ partition: TopicPartition?) throws(StreamError) {
        logger.warning("consuming: \(error)")
        if error.kind == .fatal { throw .fenced(error) }
        // A topic that is made anew has other records at the same offsets. Kafka has forgotten what was committed of the old one, and so
        // has to be asked again.
        let isGone = error.code == .unknownTopic || error.code == .unknownTopicOrPartition
        let isRead = tasks.values.contains { $0.state == .running && $0.id.topic == partition?.topic }
        if isGone && isRead { throw .kafka(error) }
    }

    private func process(_ record: borrowing ConsumedRecord) throws(StreamError) {
        guard let task = task(of: record), let processor = task.processor else { return }
        if let position = task.position, record.offset < position {
            // After a pause or a seek librdkafka may begin before the position that was asked for.
            if !task.hasReachedPosition { return }
            logger.error(
                "\(task.id): after offset \(position - 1) comes offset \(record.offset): the log was truncated or made anew; reading what there is"
            )
        }
        task.hasReachedPosition = true
        try processor.process(record)
        task.position = record.offset + 1
        task.isAtEnd = false
        task.unpublishedCount += 1
    }

    private func task(of record: borrowing ConsumedRecord) -> StreamTask? {
        let (handle, partition) = (record.topicHandle, record.partition)
        if let lastTask, lastTask.handle == handle, lastTask.partition == partition { return lastTask.task }
        guard
            let task = tasksByHandle[handle]?[partition] ?? tasks[TaskID(topic: record.topic, partition: partition)]
        else { return nil }
        tasksByHandle[handle, default: [:]][partition] = task
        lastTask = (handle, partition, task)
        return task
    }

    func forgetHandles() {
        tasksByHandle = [:]
        lastTask = nil
    }

    /// The last offsets may belong to control markers or to records that are gone: the position moves past them all the same.
    private func reachedEnd(of partition: TopicPartition, at offset: Int64) {
        guard let task = tasks[TaskID(topic: partition.topic, partition: partition.partition)], task.state == .running
        else { return }
        if offset >= task.position ?? 0 { task.hasReachedPosition = true }
        task.position = max(task.position ?? 0, offset)
        task.isAtEnd = true
    }

    // MARK: Time

    private var isCommitDue: Bool {
        if commitPace.secondsLeft(hasUncommitted: hasUncommitted) <= 0 { return true }
        return tasks.values.reduce(0) { $0 + ($1.processor?.uncommittedBytes ?? 0) } > CommitPace.maxUncommittedBytes
    }

    var hasUncommitted: Bool {
        collector?.hasSent == true
            || tasks.values.contains {
                $0.state == .running && ($0.position != $0.committed || $0.processor?.uncommittedBytes ?? 0 > 0)
            }
    }

    /// - Parameter seconds: what the commit took; nil: there was nothing to commit.
    func committed(took seconds: Double?) {
        commitPace.committed(took: seconds ?? 0)
        guard let seconds else { return }
        commitTimer.recordSeconds(seconds)
        retryDelay = StreamThread.shortestRetryDelay
        application.health.succeeded(thread: number)
    }

    private func punctuate() throws(StreamError) {
        guard monotonicSeconds() - lastPunctuation >= StreamThread.punctuationInterval else { return }
        lastPunctuation = monotonicSeconds()
        phases.publish()
        for task in tasks.values { publishProgress(of: task) }
        try catchUp()
        for task in tasks.values {
            guard task.state == .running, let processor = task.processor else { continue }
            try processor.punctuate(isCaughtUp: task.catchUp?.isDone ?? true)
        }
    }

    private func publishProgress(of task: StreamTask) {
        task.publishCount()
        application.tasks.update(
            task,
            position: task.position,
            endOffset: consumer.knownEnd(of: task.id.topicPartition),
            restoreRemaining: restorer.remaining(of: task)
        )
    }

    /// Moves on the tasks that have not read yet what was there when they were assigned. Brokers that do not answer are no reason to go
    /// back to the last commit: then it is not yet known.
    private func catchUp() throws(StreamError) {
        let waiting = tasks.values.filter { $0.state == .running && $0.catchUp?.isDone == false }
        for task in waiting {
            task.catchUp?.processed(to: task.position)
            if task.catchUp?.isDone == true {
                logger.info("\(task.id): caught up with what was there when it was assigned")
            }
        }
        guard waiting.contains(where: { $0.catchUp?.isDone == false }) else { return lookup.close() }
        guard monotonicSeconds() - lastCatchUp >= StreamThread.catchUpInterval else { return }
        lastCatchUp = monotonicSeconds()
        do {
            let upstream = Set(waiting.flatMap { $0.catchUp?.awaitedUpstream ?? [] })
            let offsets = try committedOffsets(Array(upstream))
            for task in waiting { task.catchUp?.committed(offsets) }
            let partitions = waiting.filter { $0.catchUp?.needsEnd == true }.map(\.id.topicPartition)
            if partitions.isEmpty { return }
            let ends = try lookup.ends(of: partitions, timeout: .seconds(1))
            for task in waiting {
                if let end = ends[task.id.topicPartition] { task.catchUp?.found(end: end) }
            }
        } catch {
            guard case .kafka(let reason) = error, reason.kind == .retriable else { throw error }
            logger.debug("thread \(number): cannot see yet how far others are: \(reason)")
        }
    }

    /// What this process knows of itself, and the group's coordinator of the others.
    private func committedOffsets(_ partitions: [TopicPartition]) throws(StreamError) -> [TopicPartition: Int64] {
        var offsets = application.tasks.committedOffsets(partitions)
        let others = partitions.filter { offsets[$0] == nil }
        if others.isEmpty { return offsets }
        let answered = try withKafka { () throws(KafkaError) in try consumer.committed(others, timeout: .seconds(1)) }
        offsets.merge(answered) { $1 }
        return offsets
    }
}
