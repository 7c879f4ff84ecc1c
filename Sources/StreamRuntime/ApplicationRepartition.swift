import Foundation
import KafkaClient

/// Gives the state of an application another partition count: makes another application of it, which goes on where the first one
/// stopped. Blocks.
///
/// The changelog and what the repartition topic holds that is not folded yet are copied, each record to the partition of its key. The order
/// of a key's records is kept, because all of them are in one partition. The committed offsets of the input are the new application's as
/// well. The first application stays as it is.
///
/// Until everything is there the new group's commits carry a mark, and a worker that finds it does not run. The last step takes it off, in
/// one commit. A run that was interrupted is begun anew by the next one.
public struct ApplicationRepartition: Sendable {
    /// What there is to do.
    public struct Plan: Sendable, Equatable {
        /// A topic that is copied.
        public struct Copy: Sendable, Equatable {
            public var source: String
            public var sourcePartitions: Int32
            public var target: String
            /// From where it is copied to the end: records, and what transactions left between them.
            public var offsets: Int64
        }

        public var copies: [Copy]
        /// Topics of the new application that an interrupted run has left: they are deleted first.
        public var leftovers: [String]
    }

    private let source: (settings: StreamSettings, topology: Topology)
    private let target: (settings: StreamSettings, topology: Topology)
    private let partitions: Int32

    /// Goes with the commits of a group whose topics are not complete.
    static let mark = "payload-tracker repartition is under way"

    private static let timeout = Duration.seconds(30)

    /// - Parameters:
    ///   - settings: of the application that there is.
    ///   - topology: as `settings` have it.
    ///   - newSettings: of the one to be made, under another `application.id`.
    ///   - newTopology: the same topology with the names of the new topics. Where the input itself is partitioned by key, it may be
    ///     another topic too.
    ///   - partitions: that the new application's topics get, at least 1.
    public init(
        settings: StreamSettings,
        topology: Topology,
        newSettings: StreamSettings,
        newTopology: Topology,
        partitions: Int32
    ) {
        var newSettings = newSettings
        newSettings.partitions = partitions
        source = (settings, topology)
        target = (newSettings, newTopology)
        self.partitions = partitions
    }

    /// Looks, and changes nothing.
    ///
    /// - Throws: `.incompatible` while a worker of either application runs, and for whatever else is in the way.
    public func plan() throws(StreamError) -> Plan {
        let applications = try applications()
        let found = try examine(applications)
        _ = try applications.source.lock()
        return plan(found, applications.target)
    }

    /// Does it all.
    ///
    /// - Parameter told: called every now and then with how much is copied: records, and offsets out of how many.
    /// - Returns: how many records were copied to each topic.
    /// - Throws: as `plan`, and when the broker refuses. Then nothing has happened to the first application, and the new one does not run.
    public func run(_ told: @escaping (_ records: Int, _ offsets: Int64, _ totalOffsets: Int64) -> Void)
        throws(StreamError) -> [String: Int]
    {
        let applications = try applications()
        let lock = try applications.source.lock()
        defer { withExtendedLifetime(lock) {} }
        let found = try examine(applications)
        try prepare(found.target, of: applications.target)
        let offsets = firstOffsets(found, applications.target)
        // From here on no worker of the new application runs before the last line.
        try commit(offsets, metadata: ApplicationRepartition.mark)
        reached(.marked)
        let copier = RecordCopier(settings: source.settings) { told($0.records, $0.offsets, $0.totalOffsets) }
        let records = try copier.run(found.copies, partitions: partitions)
        reached(.copied)
        guard try examine(applications, isBegun: true).isSame(as: found) else {
            throw .incompatible(
                "a worker of \(source.settings.applicationID) has run meanwhile: stop every one, and run this again"
            )
        }
        try commit(offsets)
        return records
    }

    private func reached(_ step: RepartitionStep) { source.settings.onRepartitionStep(step) }

    private typealias Applications = (source: StoppedApplication, target: StoppedApplication)

    private func applications() throws(StreamError) -> Applications {
        (
            try StoppedApplication(settings: source.settings, topology: source.topology),
            try StoppedApplication(settings: target.settings, topology: target.topology)
        )
    }

    // MARK: What there is

    private struct Findings {
        /// What the first application's group has committed.
        var committed: [TopicPartition: Int64]
        var copies: [RecordCopier.Copy]
        var target: Target

        /// Whether the first application has done nothing since. The broker may have thrown old records away.
        func isSame(as other: Findings) -> Bool { committed == other.committed && ends == other.ends }

        private var ends: [[TopicPartition: Int64]] { copies.map { $0.ranges.mapValues(\.upperBound) } }
    }

    /// What there is of the new application.
    private struct Target {
        /// Those that are there.
        var topics: [String: TopicMetadata]
        /// An interrupted run has left internal topics, and marks.
        var isUnfinished: Bool
    }

    /// - Parameter isBegun: this run has made what is there of the new application.
    private func examine(_ applications: Applications, isBegun: Bool = false) throws(StreamError) -> Findings {
        let id = source.settings.applicationID
        guard try applications.source.group() != nil else { throw hasNoOffsets(id) }
        _ = try applications.target.group()
        let topics = try metadata(applications.source)
        for topic in source.topology.sources.flatMap({ [$0.topic] + ($0.state.map { [$0.changelog] } ?? []) }) {
            guard topics[topic] != nil else { throw .incompatible("topic \(topic) does not exist: has \(id) run?") }
        }
        var lookup = OffsetLookup(
            source.settings.readerConfiguration(isolation: "read_uncommitted"),
            events: ClientEvents()
        )
        defer { lookup.close() }
        let target = try target(applications.target)
        if !isBegun { try check(target, of: applications.target, &lookup) }
        let written = source.topology.topics.filter { $0.role != .input }.map(\.name)
        try waitUntilDecided(written.flatMap { partitions(of: $0, topics) }, &lookup)
        let committed = try commits(source.settings, topics, source.topology.sources.map(\.topic)).mapValues(\.offset)
        if committed.isEmpty { throw hasNoOffsets(id) }
        let copies = try copies(applications.source, topics, from: committed, &lookup)
        return Findings(committed: committed, copies: copies, target: target)
    }

    private func copies(
        _ application: StoppedApplication,
        _ topics: [String: TopicMetadata],
        from committed: [TopicPartition: Int64],
        _ lookup: inout OffsetLookup
    ) throws(StreamError) -> [RecordCopier.Copy] {
        var copies: [RecordCopier.Copy] = []
        for (old, new) in zip(source.topology.sources, target.topology.sources) {
            guard let state = old.state, let newState = new.state else { continue }
            let log = partitions(of: state.changelog, topics)
            let records = partitions(of: old.topic, topics)
            copies.append(
                RecordCopier.Copy(
                    source: state.changelog,
                    target: newState.changelog,
                    // Where one of them has grown since, the other one says how the state was partitioned.
                    keysPartitionedBy: Int32(min(log.count, records.count)),
                    lane: .output,
                    ranges: try ranges(of: log, from: [:], &lookup)
                )
            )
            let unread = try ranges(of: records, from: committed, &lookup)
            guard application.isInternal(old.topic) else {
                try checkIsRead(unread)
                continue
            }
            copies.append(
                RecordCopier.Copy(
                    source: old.topic,
                    target: new.topic,
                    keysPartitionedBy: nil,
                    lane: .repartition,
                    ranges: unread
                )
            )
        }
        return copies
    }

    private func plan(_ found: Findings, _ application: StoppedApplication) -> Plan {
        Plan(
            copies: found.copies.map { copy in
                Plan.Copy(
                    source: copy.source,
                    sourcePartitions: Int32(copy.ranges.count),
                    target: copy.target,
                    offsets: copy.offsetCount
                )
            },
            leftovers: found.target.isUnfinished
                ? found.target.topics.keys.filter(application.isInternal).sorted() : []
        )
    }

    private func hasNoOffsets(_ id: String) -> StreamError {
        .incompatible(
            "the group \(id) has no committed offsets, so nobody knows how far its state goes: is \(id) the right application.id? "
                + "Brokers forget the offsets of a group that is idle for offsets.retention.minutes"
        )
    }

    private func metadata(_ application: StoppedApplication) throws(StreamError) -> [String: TopicMetadata] {
        try topics(of: application).metadata()
    }

    private func topics(of application: StoppedApplication) -> TopologyTopics {
        TopologyTopics(admin: application.admin, settings: application.settings, topology: application.topology)
    }

    private func partitions(of topic: String, _ topics: [String: TopicMetadata]) -> [TopicPartition] {
        (topics[topic]?.partitions ?? []).map { TopicPartition(topic: topic, partition: $0.id) }
    }

    private func commits(_ settings: StreamSettings, _ topics: [String: TopicMetadata], _ names: [String])
        throws(StreamError) -> [TopicPartition: Consumer.Commit]
    {
        let asked = names.flatMap { partitions(of: $0, topics) }
        return try withKafka { () throws(KafkaError) in
            let consumer = try Consumer(settings.committerConfiguration)
            defer { consumer.close(timeout: .seconds(1), waits: false) }
            return try consumer.commits(of: asked, timeout: ApplicationRepartition.timeout)
        }
    }

    /// - Parameter starts: what is not there begins with the first record that its partition has.
    private func ranges(
        of partitions: [TopicPartition],
        from starts: [TopicPartition: Int64],
        _ lookup: inout OffsetLookup
    ) throws(StreamError) -> [TopicPartition: Range<Int64>] {
        let firsts = try lookup.starts(of: partitions, timeout: ApplicationRepartition.timeout)
        let ends = try lookup.ends(of: partitions, timeout: ApplicationRepartition.timeout)
        var ranges: [TopicPartition: Range<Int64>] = [:]
        for partition in partitions {
            guard let first = firsts[partition], let end = ends[partition] else {
                throw .kafka(KafkaError(.leaderNotAvailable, "\(partition): its offsets cannot be found"))
            }
            let start = max(starts[partition] ?? first, first)
            guard start <= end else {
                throw .incompatible(
                    "\(partition): offset \(start) is committed, but it ends at \(end): the topic was truncated or made anew. "
                        + "Start a worker, which reads what there is, and stop it"
                )
            }
            ranges[partition] = start..<end
        }
        return ranges
    }

    /// A worker that was killed may have left a transaction open: what ends it would be written behind what was copied, and readers of the
    /// outcomes would wait for it.
    private func waitUntilDecided(_ partitions: [TopicPartition], _ lookup: inout OffsetLookup) throws(StreamError) {
        // At read_committed the brokers answer with the last stable offset.
        var stable = OffsetLookup(
            source.settings.readerConfiguration(isolation: "read_committed"),
            events: ClientEvents()
        )
        defer { stable.close() }
        let deadline = monotonicSeconds() + source.settings.transactionTimeout / .seconds(1) + 60
        while true {
            let ends = try lookup.ends(of: partitions, timeout: ApplicationRepartition.timeout)
            let stableEnds = try stable.ends(of: partitions, timeout: ApplicationRepartition.timeout)
            guard let open = partitions.first(where: { ends[$0] != stableEnds[$0] }) else { return }
            if monotonicSeconds() > deadline {
                throw .incompatible(
                    "\(open) has a transaction that is not decided: does a worker still write? Brokers abort it when its transaction.timeout is over"
                )
            }
            // The broker decides in its own time and tells nobody; each look is a request.
            Thread.sleep(forTimeInterval: 0.2)
        }
    }

    /// Whoever writes a keyed input has to go on elsewhere, and what is left in it would be folded there beside its payload.
    private func checkIsRead(_ unread: [TopicPartition: Range<Int64>]) throws(StreamError) {
        let behind = unread.filter { !$0.value.isEmpty }.sorted { $0.key < $1.key }
        guard !behind.isEmpty else { return }
        let list = behind.map { "\($0.value.count) of \($0.key)" }.joined(separator: ", ")
        throw .incompatible(
            "the keyed input has records that are not folded yet (\(list)): stop its producers, have the workers read it to its end, and stop them"
        )
    }

    private func target(_ application: StoppedApplication) throws(StreamError) -> Target {
        let topics = try metadata(application)
        let commits = try commits(target.settings, topics, target.topology.sources.map(\.topic))
        let isUnfinished = commits.values.contains { $0.metadata == ApplicationRepartition.mark }
        guard isUnfinished || commits.isEmpty else {
            throw .incompatible(
                "\(target.settings.applicationID) has committed offsets: it has run. \(choice)"
            )
        }
        return Target(topics: topics, isUnfinished: isUnfinished)
    }

    /// What to do where something of the new application is in the way.
    private var choice: String {
        "Choose an application.id that is new, or run payload-tracker reset --application-id \(target.settings.applicationID)"
    }

    private func check(_ found: Target, of application: StoppedApplication, _ lookup: inout OffsetLookup)
        throws(StreamError)
    {
        let stores = application.state.filter { name in
            target.topology.sources.contains { $0.state != nil && name.hasPrefix("\($0.topic)-") }
        }
        guard stores.isEmpty else {
            throw .incompatible("state.dir: \(application.directory) has stores of the new application. \(choice)")
        }
        for source in target.topology.sources where !application.isInternal(source.topic) {
            guard let metadata = found.topics[source.topic] else {
                throw .incompatible("the input topic \(source.topic) does not exist; create it")
            }
            guard source.state == nil || metadata.partitions.count == Int(partitions) else {
                throw .incompatible(
                    "the keyed input \(source.topic) has \(metadata.partitions.count) partitions, and the state is to have \(partitions): they have to be equal"
                )
            }
        }
        if found.isUnfinished { return }
        for metadata in found.topics.values where application.isInternal(metadata.name) {
            let ends = try lookup.ends(
                of: partitions(of: metadata.name, found.topics),
                timeout: ApplicationRepartition.timeout
            )
            guard ends.values.allSatisfy({ $0 == 0 }), metadata.partitions.count == Int(partitions) else {
                throw .incompatible(
                    "topic \(metadata.name) is there, and no empty one with \(partitions) partitions. \(choice)"
                )
            }
        }
    }

    // MARK: What is made

    private func prepare(_ found: Target, of application: StoppedApplication) throws(StreamError) {
        var counts = found.topics.mapValues { Int32($0.partitions.count) }
        if found.isUnfinished {
            // The marks go last, and come back before the first record: what is not complete is never without them.
            try application.delete(try application.internalTopics())
            reached(.deleted)
            try application.delete(group: target.settings.applicationID)
            counts = counts.filter { !application.isInternal($0.key) }
        }
        _ = try topics(of: application).createMissing(counts)
        reached(.created)
    }

    /// Where the new application begins.
    private func firstOffsets(_ found: Findings, _ application: StoppedApplication) -> [TopicPartition: Int64] {
        var offsets: [TopicPartition: Int64] = [:]
        for source in target.topology.sources {
            if source.state != nil {
                for partition in 0..<partitions {
                    offsets[TopicPartition(topic: source.topic, partition: partition)] = 0
                }
            }
            // Of a keyed input too, which may be the same one grown: its old partitions are read on.
            if application.isInternal(source.topic) { continue }
            offsets.merge(found.committed.filter { $0.key.topic == source.topic }) { $1 }
        }
        return offsets
    }

    private func commit(_ offsets: [TopicPartition: Int64], metadata: String = "") throws(StreamError) {
        try withKafka { () throws(KafkaError) in
            let consumer = try Consumer(target.settings.committerConfiguration)
            defer { consumer.close(timeout: .seconds(1), waits: false) }
            try consumer.commit(offsets, metadata: metadata, timeout: ApplicationRepartition.timeout)
        }
    }
}

extension StoppedApplication {
    func isInternal(_ topic: String) -> Bool {
        topology.topics.contains { $0.name == topic && $0.role == .internal }
    }
}

extension StreamSettings {
    /// A consumer that asks what the group has committed, or commits for it, and does not join it. At read_committed the coordinator has
    /// such a question wait until transactions are decided (KIP-447).
    fileprivate var committerConfiguration: ClientConfiguration {
        client.merging(["group.id": applicationID, "isolation.level": "read_committed"])
    }
}

extension [TopicPartition: Consumer.Commit] {
    /// Throws for commits of a group whose topics are not complete.
    func checkComplete(_ application: String) throws(StreamError) {
        guard values.contains(where: { $0.metadata == ApplicationRepartition.mark }) else { return }
        throw .incompatible(
            "\(application) is not complete: payload-tracker repartition, which makes it, is under way or was interrupted. Let it end, or run it again"
        )
    }
}
