import Foundation
import KafkaClient
import PayloadModel
import PayloadTopology
import QueryService
import RocksStore
import StreamRuntime

/// Answers from the stores of this process's tasks: committed state only, because nothing else reaches a store.
final class StorePayloadReader: PayloadReader {
    private let application: StreamApplication
    private let topic: String
    private let isInputKeyed: Bool
    private let rules: PayloadRules
    private let url: OwnURL

    init(_ application: StreamApplication, settings: Settings, url: OwnURL) {
        self.application = application
        topic = PayloadTopology.payloadTopic(settings.topics, isInputKeyed: settings.inputKeyedByPayloadID)
        isInputKeyed = settings.inputKeyedByPayloadID
        rules = settings.rules
        self.url = url
    }

    func document(_ id: PayloadID, takesStale: Bool) async throws(ReadFailure) -> LocatedDocument {
        let found = try await find(id, takesStale)
        return LocatedDocument(
            document: PayloadDocument(found.state, rules: rules),
            partition: found.partition,
            servedBy: url.text,
            stalenessRecords: found.lag
        )
    }

    func statuses(_ id: PayloadID, limit: Int?, takesStale: Bool) async throws(ReadFailure) -> LocatedStatuses {
        let found = try await find(id, takesStale)
        return LocatedStatuses(
            data: PayloadDocument.statuses(of: found.state, limit: limit, rules: rules),
            stalenessRecords: found.lag
        )
    }

    private struct Found {
        let state: PayloadState
        let partition: Int32
        /// Of the store.
        let lag: Int64
    }

    private func find(_ id: PayloadID, _ takesStale: Bool) async throws(ReadFailure) -> Found {
        guard let count = application.topics?[topic]?.partitionCount else {
            throw .noOwner(partition: nil, reason: "the worker has not reached Kafka yet", retryAfterSeconds: 5)
        }
        let partition = id.withUTF8 { Partitioner.murmur2($0, partitionCount: count) }
        let (store, lag) = try store(partition, takesStale)
        if let state = try await load(id, from: store, of: partition) {
            return Found(state: state, partition: partition, lag: lag)
        }
        // Producers that key the input by another partitioner than Java's put payloads where only a look at each store finds them.
        let others = isInputKeyed ? application.tasks.stores(topic: topic) : [:]
        for (other, store) in others where other != partition {
            if let state = try await load(id, from: store, of: other) {
                return Found(state: state, partition: other, lag: 0)
            }
        }
        throw .unknown(id, stalenessRecords: takesStale ? lag : nil)
    }

    private func store(_ partition: Int32, _ takesStale: Bool) throws(ReadFailure) -> (store: Database, lag: Int64) {
        let (store, state) = application.tasks.store(topic: topic, partition: partition)
        if let store { return (store, 0) }
        if takesStale, let standby = application.standbys.store(topic: topic, partition: partition) { return standby }
        let reason =
            switch state {
            case .restoring: "partition \(partition) is being restored from its changelog"
            case .some: "partition \(partition) has just been assigned and is being opened"
            case .none: throw .elsewhere(partition: partition)
            }
        throw .noOwner(partition: partition, reason: reason, retryAfterSeconds: 2)
    }

    private func load(_ id: PayloadID, from store: Database, of partition: Int32) async throws(ReadFailure)
        -> PayloadState?
    {
        if let found = try await StoreReading.read({ try PayloadStore.payload(id, in: store) }) { return found }
        throw .noOwner(partition: partition, reason: "partition \(partition) has just moved", retryAfterSeconds: 1)
    }
}
