import KafkaClient
import Logging
import Metrics
import RocksStore

/// Brings stores up to the end of their changelogs. One a stream thread, beside its records: tasks that are restored run on. The standby
/// thread has one that does not let go of them there: they follow their changelogs until they are removed.
final class Restorer {
    private final class Job {
        let task: StreamTask
        let store: StateStore
        let batch: WriteBatch
        private var restoration: any Restoration
        let partition: TopicPartition
        var next: Int64
        /// What the store holds stands for this offset.
        private(set) var written: Int64
        /// The changelog's end as it stood when the job began.
        let end: Int64
        /// As the last fetch saw it, of a changelog that is followed.
        var latestEnd: Int64
        let start: Int64
        let startedAt = monotonicSeconds()
        var records = 0
        /// Keys and values.
        var bytes = 0
        let remaining: Gauge
        /// Where the key decides the partition: of how many. A keyed input's producers may partition as they like.
        let partitionCount: Int32?

        init(
            _ task: StreamTask,
            _ store: StateStore,
            _ restoration: any Restoration,
            _ range: ChangelogRange,
            partitionCount: Int32?
        ) {
            self.task = task
            self.store = store
            self.restoration = restoration
            batch = WriteBatch(store.database)
            partition = range.partition
            next = range.start
            written = range.start
            start = range.start
            end = range.end
            latestEnd = range.end
            self.partitionCount = partitionCount
            let number = "\(range.partition.partition)"
            remaining =
                task.isStandby
                ? Gauge(label: "payload_tracker_standby_lag_records", dimensions: [("partition", number)])
                : Gauge(label: "payload_tracker_restore_remaining_records", dimensions: [("partition", number)])
        }

        /// All records are in the store.
        var isRead: Bool { next >= end }
        private(set) var isDone = false
        private(set) var isFollowing = false
        /// What comes after the records is under way.
        var isCompleting: Bool { isRead && !isDone }

        /// Of what is not written yet.
        var unwrittenBytes: Int { batch.byteCount + restoration.heldBytes }

        func restore(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?) throws(StreamError) {
            try restoration.restore(key: key, value: value, into: batch)
        }

        /// Puts what was restored since the last time into the store.
        func write() throws(StreamError) {
            let isBesideStore = try restoration.finish(batch)
            try store.write(batch, changelogOffset: next)
            if isBesideStore { try store.flush() }
            written = next
        }

        /// Goes on with what is logged from now on.
        func follow(_ reader: any ChangelogReader) throws(StreamError) {
            restoration = try reader.makeRestoration(of: store.database, isEmpty: false)
            isFollowing = true
        }

        /// Goes on with what comes after the records.
        func complete(until deadline: Double) throws(StreamError) {
            while !isDone && monotonicSeconds() < deadline {
                if try restoration.complete(into: batch) {
                    try write()
                    // Otherwise a crash would have all of it read again.
                    try store.flush()
                    try restoration.completed()
                    isDone = true
                } else if batch.count > 0 {
                    try store.write(batch)
                }
            }
        }
    }

    /// What a store lacks of its changelog; nothing, where only the end of a restoration is missing.
    struct ChangelogRange {
        var partition: TopicPartition
        /// The store's changelog offset.
        var start: Int64
        /// The changelog's end as it stands, transactions that are open included.
        var end: Int64
    }

    private let follows: Bool
    private let maxUnwrittenBytes: Int
    private let configuration: ClientConfiguration
    private let events: ClientEvents
    private let catalog: TopicCatalog
    private let logger: Logger
    /// Open only while there is something to restore.
    private var consumer: Consumer?
    private var jobs: [TopicPartition: Job] = [:]
    /// Jobs by topic handle and partition, for finding a record's job without making a string of its topic.
    private var jobsByHandle: [UnsafeRawPointer: [Int32: Job]] = [:]
    /// The consumer does not read yet what the jobs want. What it has fetched is thrown away by a new assignment, so that
    /// there is one for many jobs.
    private var needsAssignment = false
    private var bytesSinceLook = 0
    private var lastReport = monotonicSeconds()
    private let restored = Counter(label: "payload_tracker_restored_records")
    /// The task that was worked on last: an error of a store or of a changelog's content is about it.
    private(set) var lastTask: StreamTask?

    private static let reportInterval = 10.0
    /// How long a step of one who follows takes: a store is written once in it.
    private static let followSeconds = 0.1
    /// Because one batch should not hold up the thread for long.
    private static let maxBatchBytes = 8 << 20
    /// Between two looks at what is unwritten, of keys and values.
    private static let bytesBetweenLooks = 256 << 10

    /// - Parameters:
    ///   - follows: go on with stores that are complete; otherwise `step` returns their tasks and is done with them.
    ///   - maxUnwrittenBytes: of all stores together.
    init(
        _ configuration: ClientConfiguration,
        events: ClientEvents,
        catalog: TopicCatalog,
        logger: Logger,
        follows: Bool = false,
        maxUnwrittenBytes: Int = 64 << 20
    ) {
        self.follows = follows
        self.maxUnwrittenBytes = maxUnwrittenBytes
        let tuning: ClientConfiguration = [
            // Enough for the next partitions while one is written; the bytes are the bound.
            "queued.min.messages": "1000000", "queued.max.messages.kbytes": "65536",
            "fetch.wait.max.ms": "100",
        ]
        self.configuration = tuning.merging(configuration)
        self.events = events
        self.catalog = catalog
        self.logger = logger
    }

    var isIdle: Bool { jobs.isEmpty }

    func isRestoring(_ task: StreamTask) -> Bool { job(of: task) != nil }

    /// Offsets of its changelog that the task's store does not have yet.
    func remaining(of task: StreamTask) -> Int64 { job(of: task).map { remaining(of: $0) } ?? 0 }

    private func remaining(of job: Job) -> Int64 {
        if follows, let end = consumer?.knownEnd(of: job.partition) { job.latestEnd = end }
        return max(job.latestEnd - job.next, 0)
    }

    /// The next offset of its changelog that the task's store lacks; nil: it is not here.
    func position(of task: StreamTask) -> Int64? { job(of: task)?.written }

    /// Whether the task's store follows its changelog, complete up to where it is.
    func isFollowing(_ task: StreamTask) -> Bool { job(of: task)?.isFollowing ?? false }

    private func job(of task: StreamTask) -> Job? {
        guard let changelog = task.changelog, let job = jobs[changelog], job.task === task else { return nil }
        return job
    }

    func add(_ task: StreamTask, _ state: Topology.State, store: StateStore, _ range: ChangelogRange)
        throws(StreamError)
    {
        let restoration = try state.changelogReader.makeRestoration(of: store.database, isEmpty: range.start == 0)
        let count = task.source.upstream == nil ? nil : catalog[range.partition.topic]?.partitionCount
        jobs[range.partition] = Job(task, store, restoration, range, partitionCount: count)
        needsAssignment = true
    }

    /// Forgets the task. Does not wait, so that a rebalance callback may call it.
    func remove(_ task: StreamTask) {
        guard let job = job(of: task) else { return }
        jobs[job.partition] = nil
        // Its files may be needed by another thread at once.
        jobsByHandle = [:]
        job.remaining.record(0)
        needsAssignment = true
    }

    /// Reads for a while, and writes what it read. Returns the tasks whose stores are complete.
    func step() throws(StreamError) -> [StreamTask] {
        if needsAssignment { try assign() }
        guard let consumer, !jobs.isEmpty else { return [] }
        // A changelog that is followed has more records after its end; none may come between a store's second part.
        let isReading = follows ? !jobs.values.contains(where: \.isCompleting) : true
        let deadline = monotonicSeconds() + (follows ? Restorer.followSeconds : 0.05)
        var records = 0
        defer { if records > 0 { restored.increment(by: records) } }
        while isReading, follows || jobs.values.contains(where: { !$0.isRead }), monotonicSeconds() < deadline {
            // Who follows waits for records here, and no longer than it takes to see what else there is to do.
            let patience = follows ? deadline - monotonicSeconds() : 0.02
            guard let event = consumer.poll(timeout: .seconds(patience)) else { break }
            switch consume event {
            case .record(let record):
                guard let job = job(of: record), record.offset >= job.next else { continue }
                // What comes after the end is for who follows: otherwise it would come between the parts of a restoration.
                if job.isCompleting && !follows { continue }
                lastTask = job.task
                try restore(record, job)
                records += 1
            case .partitionEnd(let partition, let offset):
                guard let job = jobs[partition] else { continue }
                lastTask = job.task
                if follows && offset < job.written {
                    throw .store(
                        StoreError(
                            .corruption,
                            path: job.store.database.path,
                            "it stands at changelog offset \(job.written), but the changelog ends at \(offset)"
                        )
                    )
                }
                // The last records may be control markers, or compacted away: the position counts, not the last record's offset.
                job.next = max(job.next, offset)
            case .error(let error, _):
                logger.warning("restoring: \(error)")
            }
        }
        report()
        for job in jobs.values {
            lastTask = job.task
            job.remaining.record(remaining(of: job))
            // A restoration may hold records back, for as long as they fit.
            if job.batch.count > 0 || job.isDone && job.next > job.written { try job.write() }
        }
        let completionDeadline = monotonicSeconds() + 0.05
        for job in jobs.values where job.isCompleting {
            lastTask = job.task
            try job.complete(until: completionDeadline)
        }
        return try finish()
    }

    private func job(of record: borrowing ConsumedRecord) -> Job? {
        if let job = jobsByHandle[record.topicHandle]?[record.partition] { return job }
        guard let job = jobs[TopicPartition(topic: record.topic, partition: record.partition)] else { return nil }
        jobsByHandle[record.topicHandle, default: [:]][record.partition] = job
        return job
    }

    private func restore(_ record: borrowing ConsumedRecord, _ job: Job) throws(StreamError) {
        guard let key = record.key else {
            throw .incompatible(
                "changelog \(job.partition) has a record without a key at offset \(record.offset): another program writes to it"
            )
        }
        if let count = job.partitionCount,
            Partitioner.murmur2(key, partitionCount: count) != job.partition.partition
        {
            throw .incompatible(
                "changelog \(job.partition) holds keys of another partition (offset \(record.offset)): its partition count was changed to \(count). "
                    + "Restore the old count, or stop all workers and delete the internal topics and state.dir"
            )
        }
        try job.restore(key: key, value: record.value)
        job.next = record.offset + 1
        job.records += 1
        let size = key.count + (record.value?.count ?? 0)
        job.bytes += size
        bytesSinceLook += size
        if bytesSinceLook < Restorer.bytesBetweenLooks { return }
        bytesSinceLook = 0
        if job.batch.byteCount > Restorer.maxBatchBytes { try job.write() }
        try limitUnwritten()
    }

    private func limitUnwritten() throws(StreamError) {
        let unwritten = jobs.values.reduce(0) { $0 + $1.unwrittenBytes }
        if unwritten <= maxUnwrittenBytes { return }
        // What others hold they are about to be done with.
        let candidates = jobs.values.filter { !$0.isCompleting }
        guard let largest = candidates.max(by: { $0.unwrittenBytes < $1.unwrittenBytes }) else { return }
        lastTask = largest.task
        try largest.write()
    }

    /// A long restore says every now and then how far it is.
    private func report() {
        guard monotonicSeconds() - lastReport >= Restorer.reportInterval else { return }
        lastReport = monotonicSeconds()
        for job in jobs.values.sorted(by: { $0.partition.partition < $1.partition.partition }) where !job.isDone {
            logger.info(
                "\(job.task.id): restoring from \(job.partition), \(job.records) records so far, \(job.end - job.next) offsets to go"
            )
        }
    }

    private func finish() throws(StreamError) -> [StreamTask] {
        let done = jobs.values.filter { $0.isDone && !$0.isFollowing }
        if done.isEmpty { return [] }
        for job in done {
            let seconds = max(monotonicSeconds() - job.startedAt, 0.001)
            logger.info(
                "\(job.task.id): restored \(job.records) records (\(job.bytes) bytes) of \(job.partition) from offset \(job.start) in \((seconds * 1_000).rounded() / 1_000) s\(follows ? ", and stands by" : "")"
            )
            if follows, let state = job.task.source.state {
                lastTask = job.task
                try job.follow(state.changelogReader)
            } else {
                jobs[job.partition] = nil
            }
        }
        if follows { return done.map(\.task) }
        jobsByHandle = [:]
        if jobs.isEmpty {
            close()
        } else {
            // The others are read on: a new assignment would throw away what is fetched of them.
            try withKafka { () throws(KafkaError) in try consumer?.pause(done.map(\.partition)) }
        }
        return done.map(\.task)
    }

    func close() {
        jobs = [:]
        needsAssignment = false
        closeConsumer()
    }

    private func closeConsumer() {
        // Topic handles are the consumer's.
        jobsByHandle = [:]
        consumer?.close(timeout: .seconds(1), waits: false)
        consumer = nil
    }

    private func assign() throws(StreamError) {
        if jobs.isEmpty { return close() }
        // Not the old one: librdkafka 2.0.2 aborts when it is assigned anew before what it had has stopped.
        closeConsumer()
        let offsets = jobs.mapValues(\.next)
        consumer = try withKafka { () throws(KafkaError) in
            let consumer = try Consumer(configuration, events: events)
            try consumer.assign(offsets)
            return consumer
        }
        needsAssignment = false
    }
}
