import NIOPosix
import PayloadTopology
import QueryService
import RocksStore
import StreamRuntime

/// What this instance knows of its partitions. Those of others are `unassigned` to it.
struct LocalPartitionReader: PartitionReader {
    let application: StreamApplication
    let settings: Settings
    let url: OwnURL

    func partitions() async throws(ReadFailure) -> PartitionsDocument {
        let payloadTopic = PayloadTopology.payloadTopic(
            settings.topics,
            isInputKeyed: settings.inputKeyedByPayloadID
        )
        guard let topics = application.topics, let payloadEntry = topics[payloadTopic],
            let inputEntry = topics[settings.topicsInput]
        else {
            throw .noOwner(partition: nil, reason: "the worker has not reached Kafka yet", retryAfterSeconds: 5)
        }
        let payloads = application.tasks.progress(topic: payloadTopic)
        let input = application.tasks.progress(topic: settings.topicsInput)
        let standbys = application.standbys.standbys(topic: payloadTopic)
        let stores = application.tasks.stores(topic: payloadTopic)
            .merging(standbys.mapValues(\.store)) { running, _ in running }
        let counts = await payloadCounts(stores)
        return PartitionsDocument(
            data: (0..<payloadEntry.partitionCount).map {
                report($0, payloads[$0], standbys[$0]?.progress, counts[$0])
            },
            input: (0..<inputEntry.partitionCount).map { offsets($0, input[$0]) }
        )
    }

    /// A task that is here counts, and not the standby that it was before.
    private func report(
        _ partition: Int32,
        _ progress: TaskDirectory.Progress?,
        _ standby: StandbyDirectory.Progress?,
        _ payloads: Int?
    ) -> PartitionsDocument.Payloads {
        let isHere = progress != nil
        if !isHere, let standby { return report(partition, standby, payloads) }
        return PartitionsDocument.Payloads(
            state: progress.map { $0.state == .running ? .running : .restoring } ?? .unassigned,
            owner: isHere ? application.ownership.own?.name : nil,
            url: isHere ? url.text : nil,
            offsets: offsets(partition, progress),
            restoreRemaining: progress?.restoreRemaining,
            payloads: payloads
        )
    }

    private func report(_ partition: Int32, _ standby: StandbyDirectory.Progress, _ payloads: Int?)
        -> PartitionsDocument.Payloads
    {
        let own = PartitionsDocument.Standby(
            instance: application.ownership.own?.name ?? "",
            url: url.text,
            position: standby.position,
            lag: standby.lag,
            isComplete: standby.isComplete
        )
        return PartitionsDocument.Payloads(
            state: .standby,
            owner: nil,
            url: nil,
            offsets: PartitionsDocument.Offsets(
                partition: partition,
                position: standby.position,
                endOffset: standby.position + standby.lag
            ),
            restoreRemaining: standby.isComplete ? 0 : standby.lag,
            payloads: payloads,
            standbys: [own]
        )
    }

    private func offsets(_ partition: Int32, _ progress: TaskDirectory.Progress?) -> PartitionsDocument.Offsets {
        PartitionsDocument.Offsets(
            partition: partition,
            position: progress?.position,
            endOffset: progress?.endOffset
        )
    }

    /// On a thread that may wait for the disk.
    private func payloadCounts(_ stores: [Int32: Database]) async -> [Int32: Int] {
        let counted = try? await NIOThreadPool.singleton.runIfActive {
            stores.compactMapValues { try? PayloadStore.count(in: $0) }
        }
        return counted ?? [:]
    }
}
