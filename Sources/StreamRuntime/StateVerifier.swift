import Foundation
import KafkaClient
import Logging
import RocksStore

/// Compares the stores of a state directory with their changelogs, while no worker has them: what a store would be after
/// catching up, and what the whole changelog makes from nothing, have to be the same. Changes neither, but for RocksDB's own files.
public struct StateVerifier: Sendable {
    public struct Report: Sendable {
        public var task: TaskID
        /// The changelog offset that the store stands for, and the changelog's end; nil: the store could not be read.
        public var offsets: (store: Int64, end: Int64)?
        /// What is wrong, a sentence each; empty: nothing is.
        public var problems: [String]
    }

    private let settings: StreamSettings
    private let topology: Topology
    private let logger: Logger

    public init(settings: StreamSettings, topology: Topology, logger: Logger) {
        self.settings = settings
        self.topology = topology
        self.logger = logger
    }

    /// Verifies every store there is, in the order of their partitions; one that cannot be read is a problem of that store. Blocks for as
    /// long as reading the changelogs takes.
    public func run(_ told: (Report) -> Void) throws(StreamError) {
        let directory = try StateDirectory(
            existing: "\(settings.stateDirectory)/\(settings.applicationID)",
            patience: 0
        )
        let scratch = FileManager.default.temporaryDirectory.appending(path: "verify-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let counts = try withKafka { () throws(KafkaError) in
            try Admin(settings.client).describeTopics(
                topology.sources.compactMap(\.state?.changelog),
                timeout: .seconds(10)
            )
        }
        for source in topology.sources {
            guard let state = source.state else { continue }
            guard let count = counts[state.changelog].map({ Int32($0.partitions.count) }) else {
                throw .incompatible("the changelog \(state.changelog) does not exist")
            }
            for partition in 0..<count {
                let task = StreamTask(id: TaskID(topic: source.topic, partition: partition), source: source)
                let path = "\(directory.path)/\(task.id)"
                guard FileManager.default.fileExists(atPath: path) else { continue }
                do {
                    told(try verify(task, state, path: path, partitionCount: count, scratch: "\(scratch)/\(partition)"))
                } catch {
                    guard case .store(let reason) = error, [.incompatible, .corruption].contains(reason.kind) else {
                        throw error
                    }
                    told(Report(task: task.id, offsets: nil, problems: ["\(reason)"]))
                }
            }
        }
    }

    private func verify(
        _ task: StreamTask,
        _ state: Topology.State,
        path: String,
        partitionCount: Int32,
        scratch: String
    ) throws(StreamError) -> Report {
        let changelog = TopicPartition(topic: state.changelog, partition: task.id.partition)
        let identity = StateStore.Identity(
            application: settings.applicationID,
            formatVersion: state.formatVersion,
            partition: changelog,
            partitionCount: partitionCount
        )
        func open(_ path: String) throws(StreamError) -> StateStore {
            let memory = StoreMemory(blockCacheBytes: 16 << 20, writeBufferBytes: 32 << 20)
            return try StateStore(path: path, state: state, identity: identity, memory: memory)
        }
        let original = try open(path)
        let offset = try original.changelogOffset()
        let isUnfinished = try state.changelogReader.isUnfinished(original.database)
        let rebuilt = try open("\(scratch)-rebuilt")
        try withStore { () throws(StoreError) in try original.database.checkpoint(at: "\(scratch)-caught-up") }
        original.database.close()
        let caughtUp = try open("\(scratch)-caught-up")
        defer { for store in [rebuilt, caughtUp] { store.database.close() } }

        var lookup = OffsetLookup(settings.readerConfiguration(isolation: "read_uncommitted"), events: ClientEvents())
        defer { lookup.close() }
        guard let end = try lookup.ends(of: [changelog], timeout: .seconds(30))[changelog] else {
            throw .kafka(KafkaError(.unknownPartition, "\(changelog): its end cannot be found"))
        }
        var report = Report(task: task.id, offsets: (offset, end), problems: [])
        if offset > end {
            report.problems = ["the store stands at changelog offset \(offset), but the changelog ends at \(end)"]
            return report
        }
        // Nobody reads a store that is still being filled, and there is nothing in it to compare.
        if isUnfinished {
            logger.notice("\(task.id): its restoration was interrupted; serve goes on with it")
            return report
        }
        try restore(task, state, rebuilt, Restorer.ChangelogRange(partition: changelog, start: 0, end: end))
        try restore(task, state, caughtUp, Restorer.ChangelogRange(partition: changelog, start: offset, end: end))
        report.problems = try state.changelogReader.differences(of: caughtUp.database, from: rebuilt.database)
        return report
    }

    private func restore(
        _ task: StreamTask,
        _ state: Topology.State,
        _ store: StateStore,
        _ range: Restorer.ChangelogRange
    ) throws(StreamError) {
        if range.start >= range.end { return }
        let restorer = Restorer(
            settings.readerConfiguration(isolation: "read_committed"),
            events: ClientEvents(),
            catalog: TopicCatalog(),
            logger: logger
        )
        defer { restorer.close() }
        try restorer.add(task, state, store: store, range)
        while try restorer.step().isEmpty {}
    }
}
