import KafkaClient

/// Copies records from topic to topic, each to the partition of its key. The order of records that are in one partition and have one key is
/// kept. Blocks.
struct RecordCopier {
    struct Copy {
        var source: String
        var target: String
        /// The partition count by which each key has to be where it is; nil: keys may be anywhere.
        var keysPartitionedBy: Int32?
        /// How the target is written.
        var lane: OutputTopic.Lane
        /// What is copied of each partition of the source.
        var ranges: [TopicPartition: Range<Int64>]

        /// Records, and what transactions left between them.
        var offsetCount: Int64 { ranges.values.reduce(0) { $0 + Int64($1.count) } }
    }

    /// How far it is.
    struct Progress: Sendable {
        var records: Int
        var offsets: Int64
        var totalOffsets: Int64
    }

    let settings: StreamSettings
    /// Called every now and then.
    let told: (Progress) -> Void

    /// Seconds in which something has to be read or written. A reader waits for a transaction that somebody has left open.
    private var patience: Double { 60 + settings.transactionTimeout / .seconds(1) }
    private static let reportInterval = 5.0

    /// A partition that is being copied.
    private final class Job {
        let copy: Copy
        let target: OutputTopic
        let range: Range<Int64>
        var position: Int64
        var records = 0

        init(_ copy: Copy, to target: OutputTopic, _ range: Range<Int64>) {
            self.copy = copy
            self.target = target
            self.range = range
            position = range.lowerBound
        }

        var isDone: Bool { position >= range.upperBound }
    }

    /// When something last moved.
    private final class Watch {
        var lastMove = monotonicSeconds()

        func isOver(_ patience: Double) -> Bool { monotonicSeconds() - lastMove > patience }
    }

    /// Returns when all of it is written.
    ///
    /// - Parameter partitions: of the targets.
    /// - Returns: how many records were copied to each target.
    func run(_ copies: [Copy], partitions: Int32) throws(StreamError) -> [String: Int] {
        let watch = Watch()
        let collector = try makeCollector(watch)
        defer { collector.close() }
        var jobs: [TopicPartition: Job] = [:]
        for copy in copies {
            let target = try collector.topic(copy.target, lane: copy.lane)
            for (partition, range) in copy.ranges where !range.isEmpty {
                jobs[partition] = Job(copy, to: target, range)
            }
        }
        do {
            try run(jobs, partitions: partitions, collector, watch)
        } catch .stopped {
            throw .kafka(KafkaError(.timedOut, "nothing could be written for \(Int(patience)) s"))
        }
        var counts = Dictionary(uniqueKeysWithValues: copies.map { ($0.target, 0) })
        for job in jobs.values { counts[job.copy.target, default: 0] += job.records }
        return counts
    }

    private func run(
        _ jobs: [TopicPartition: Job],
        partitions: Int32,
        _ collector: RecordCollector,
        _ watch: Watch
    ) throws(StreamError) {
        if jobs.isEmpty { return }
        let consumer = try makeConsumer(jobs.mapValues(\.position))
        defer { consumer.close(timeout: .seconds(1), waits: false) }
        var jobsByHandle: [UnsafeRawPointer: [Int32: Job]] = [:]
        var left = jobs.count
        var lastReport = monotonicSeconds()
        while left > 0 {
            if monotonicSeconds() - lastReport >= RecordCopier.reportInterval {
                lastReport = monotonicSeconds()
                told(progress(of: jobs.values))
            }
            collector.poll()
            guard let event = consumer.poll(timeout: .milliseconds(100)) else {
                if watch.isOver(patience) {
                    throw .kafka(KafkaError(.timedOut, "nothing could be read for \(Int(patience)) s"))
                }
                continue
            }
            switch consume event {
            case .record(let record):
                var job = jobsByHandle[record.topicHandle]?[record.partition]
                if job == nil {
                    job = jobs[TopicPartition(topic: record.topic, partition: record.partition)]
                    jobsByHandle[record.topicHandle, default: [:]][record.partition] = job
                }
                // What has come since the copy began is nobody's: there is no worker.
                guard let job, !job.isDone, record.offset < job.range.upperBound else { continue }
                try copy(record, job, of: partitions, collector)
                job.position = record.offset + 1
                watch.lastMove = monotonicSeconds()
                if job.isDone { left -= 1 }
            case .partitionEnd(let partition, let offset):
                // The last offsets may be markers, or compacted away.
                guard let job = jobs[partition], !job.isDone else { continue }
                job.position = min(max(job.position, offset), job.range.upperBound)
                if job.isDone { left -= 1 }
            case .error(let error, _):
                if error.kind != .retriable { throw .kafka(error) }
            }
        }
        watch.lastMove = monotonicSeconds()
        try collector.flush()
        told(progress(of: jobs.values))
    }

    private func progress(of jobs: some Collection<Job>) -> Progress {
        var progress = Progress(records: 0, offsets: 0, totalOffsets: 0)
        for job in jobs {
            progress.records += job.records
            progress.offsets += job.position - job.range.lowerBound
            progress.totalOffsets += Int64(job.range.count)
        }
        return progress
    }

    private func copy(
        _ record: borrowing ConsumedRecord,
        _ job: Job,
        of partitions: Int32,
        _ collector: RecordCollector
    ) throws(StreamError) {
        guard let key = record.key else {
            throw .incompatible(
                "\(job.copy.source)-\(record.partition) has a record without a key at offset \(record.offset): another program writes to it"
            )
        }
        if let count = job.copy.keysPartitionedBy, Partitioner.murmur2(key, partitionCount: count) != record.partition {
            throw .incompatible(
                "\(job.copy.source)-\(record.partition) has a key at offset \(record.offset) that murmur2 puts elsewhere among \(count) partitions: the count was changed, "
                    + "or the producers of a keyed input partition otherwise. Such a state can only be built anew, with payload-tracker reset"
            )
        }
        try collector.send(
            to: job.target,
            partition: Partitioner.murmur2(key, partitionCount: partitions),
            key: key,
            value: record.value,
            // To the client 0 means now.
            timestamp: max(record.timestamp, 1),
            headers: record.headersSize == 0 ? .none : RecordHeaders(copying: record),
            opaque: 0
        )
        job.records += 1
        settings.onRepartitionStep(.copying)
    }

    private func makeConsumer(_ positions: [TopicPartition: Int64]) throws(StreamError) -> Consumer {
        let tuning: ClientConfiguration = ["queued.min.messages": "1000000", "queued.max.messages.kbytes": "65536"]
        return try withKafka { () throws(KafkaError) in
            let consumer = try Consumer(tuning.merging(settings.readerConfiguration(isolation: "read_committed")))
            try consumer.assign(positions)
            return consumer
        }
    }

    private func makeCollector(_ watch: Watch) throws(StreamError) -> RecordCollector {
        let patience = patience
        do throws(KafkaError) {
            return try RecordCollector(
                RecordCollector.Settings(
                    client: settings.client,
                    // A copy that is not complete is thrown away as a whole.
                    transactionalID: nil,
                    transactionTimeout: settings.transactionTimeout / .seconds(1)
                ),
                events: ClientEvents(),
                heartbeat: {},
                shouldStop: { watch.isOver(patience) }
            )
        } catch {
            throw .refusedSettings(ofClient: error)
        }
    }
}
