import PayloadTopology
import QueryService
import RocksStore
import StreamRuntime

/// The summary of this process's tasks.
struct StoreSummaryReader: SummaryReader {
    let application: StreamApplication
    let activity: PayloadActivity
    let topic: String

    func summary() async throws(ReadFailure) -> SummaryPart {
        guard let count = application.topics?[topic]?.partitionCount else {
            throw .noOwner(partition: nil, reason: "the worker has not reached Kafka yet", retryAfterSeconds: 5)
        }
        let (stores, counted) = try await StoreReading.readAll {
            application.tasks.stores(topic: topic)
        } _: {
            try $0.mapValues { try PayloadSummary(of: [$0]) }
        }
        return SummaryPart(
            partitions: counted.sorted { $0.key < $1.key }.map { partition, summary in
                SummaryPart.Partition(
                    partition: partition,
                    payloads: SummaryDocument.Payloads(
                        total: summary.payloads,
                        outcomes: summary.outcomes,
                        statuses: summary.statuses,
                        failingServices: summary.failingServices
                    )
                )
            },
            missing: (0..<count).filter { stores[$0] == nil },
            lastHour: SummaryDocument.Activity(activity.lastHour),
            sinceStart: SummaryDocument.Activity(activity.sinceStart),
            startedAt: activity.startedAt
        )
    }
}

extension SummaryDocument.Activity {
    fileprivate init(_ tally: PayloadActivity.Tally) {
        self.init(
            outcomes: tally.outcomes,
            failingServices: tally.failingServices,
            deadLetters: tally.deadLetters
        )
    }
}
