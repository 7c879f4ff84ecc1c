import KafkaClient
import Logging
import RocksStore

/// Brings stores up to the end of their changelogs. One a stream thread, beside its records: tasks that are restored run on.
final class Restorer {
    private struct Job {
        let task: StreamTask
        let store: StateStore
        let batch: WriteBatch
        let partition: TopicPartition
        var next: Int64
        let end: Int64
        let start: Int64
        let startedAt: Double
        var records = 0
    }

    private let configuration: ClientConfiguration
    private let events: ClientEvents
    private let catalog: TopicCatalog
    private let logger: Logger
    /// Open only while there is something to restore.
    private var consumer: Consumer?
    private var jobs: [TopicPartition: Job] = [:]

    init(_ configuration: ClientConfiguration, events: ClientEvents, catalog: TopicCatalog, logger: Logger) {
        self.configuration = configuration
        self.events = events
        self.catalog = catalog
        self.logger = logger
    }

    var isIdle: Bool { jobs.isEmpty }

    /// - Parameters:
    ///   - start: the store's changelog offset.
    ///   - end: the changelog's end as it stands, transactions that are open included.
    func add(_ task: StreamTask, store: StateStore, changelog: TopicPartition, from start: Int64, to end: Int64)
        throws(StreamError)
    {
        jobs[changelog] = Job(
            task: task,
            store: store,
            batch: WriteBatch(store.database),
            partition: changelog,
            next: start,
            end: end,
            start: start,
            startedAt: monotonicSeconds()
        )
        try assign()
    }

    func remove(_ task: StreamTask) throws(StreamError) {
        guard let job = jobs.values.first(where: { $0.task === task }) else { return }
        jobs[job.partition] = nil
        try assign()
    }

    /// Reads for a while, and writes what it read. Returns the tasks whose stores are complete.
    func step() throws(StreamError) -> [StreamTask] {
        guard let consumer else { return [] }
        let deadline = monotonicSeconds() + 0.05
        var done: [TopicPartition] = []
        while monotonicSeconds() < deadline, !jobs.isEmpty, done.count < jobs.count {
            guard let event = consumer.poll(timeout: .milliseconds(20)) else { break }
            switch consume event {
            case .record(let record):
                let partition = TopicPartition(topic: record.topic, partition: record.partition)
                guard var job = jobs[partition], record.offset >= job.next else { continue }
                try restore(record, &job)
                if job.next >= job.end { done.append(partition) }
                jobs[partition] = job
            case .partitionEnd(let partition, let offset):
                guard var job = jobs[partition] else { continue }
                // The last records may be control markers, or compacted away: the position counts, not the last record's offset.
                job.next = max(job.next, offset)
                if job.next >= job.end { done.append(partition) }
                jobs[partition] = job
            case .error(let error):
                logger.warning("restoring: \(error)")
            }
        }
        for job in jobs.values where job.batch.count > 0 || job.next >= job.end {
            try job.store.write(job.batch, changelogOffset: job.next)
        }
        return try finish(done)
    }

    private func restore(_ record: borrowing ConsumedRecord, _ job: inout Job) throws(StreamError) {
        guard let key = record.key, let reader = job.task.source.state?.changelogReader else {
            throw .incompatible(
                "changelog \(job.partition) has a record without a key at offset \(record.offset): another program writes to it"
            )
        }
        // A keyed input's producers may partition as they like; behind a repartition topic the key decides.
        if job.task.source.upstream != nil,
            let count = catalog[job.partition.topic]?.partitionCount,
            Partitioner.murmur2(key, partitionCount: count) != job.partition.partition
        {
            throw .incompatible(
                "changelog \(job.partition) holds keys of another partition (offset \(record.offset)): its partition count was changed to \(count). "
                    + "Restore the old count, or stop all workers and delete the internal topics and state.dir"
            )
        }
        try reader.restore(key: key, value: record.value, into: job.batch)
        job.next = record.offset + 1
        job.records += 1
        if job.batch.byteCount > 4 << 20 { try job.store.write(job.batch, changelogOffset: job.next) }
    }

    private func finish(_ partitions: [TopicPartition]) throws(StreamError) -> [StreamTask] {
        if partitions.isEmpty { return [] }
        var tasks: [StreamTask] = []
        for partition in Set(partitions) {
            guard let job = jobs.removeValue(forKey: partition) else { continue }
            let seconds = max(monotonicSeconds() - job.startedAt, 0.001)
            logger.info(
                "\(job.task.id): restored \(job.records) records of \(partition) from offset \(job.start) in \((seconds * 1_000).rounded() / 1_000) s"
            )
            tasks.append(job.task)
        }
        try assign()
        return tasks
    }

    private func assign() throws(StreamError) {
        if jobs.isEmpty {
            consumer?.close()
            consumer = nil
            return
        }
        if consumer == nil {
            consumer = try withKafka { () throws(KafkaError) in try Consumer(configuration, events: events) }
        }
        let offsets = jobs.mapValues(\.next)
        try withKafka { () throws(KafkaError) in try consumer?.assign(offsets) }
    }
}
