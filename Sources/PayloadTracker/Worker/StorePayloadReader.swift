import Foundation
import KafkaClient
import NIOPosix
import PayloadModel
import PayloadTopology
import QueryService
import RocksStore
import StreamRuntime
import Synchronization

/// Answers from the stores of this process's tasks: committed state only, because nothing else reaches a store.
final class StorePayloadReader: PayloadReader {
    private let application: StreamApplication
    private let topic: String
    private let isInputKeyed: Bool
    private let rules: PayloadRules
    private let servedBy: Mutex<String>

    init(_ application: StreamApplication, settings: Settings) {
        self.application = application
        topic = PayloadTopology.payloadTopic(settings.topics, isInputKeyed: settings.inputKeyedByPayloadID)
        isInputKeyed = settings.inputKeyedByPayloadID
        rules = settings.rules
        servedBy = Mutex(settings.advertisedURL?.absoluteString ?? "")
    }

    /// What answers say of who served them, where `advertised.url` does not say it: known once the port is.
    func setDefaultURL(_ url: String) {
        servedBy.withLock { servedBy in
            if servedBy.isEmpty { servedBy = url }
        }
    }

    func document(_ id: PayloadID) async throws(ReadFailure) -> LocatedDocument? {
        guard let (state, partition) = try await find(id) else { return nil }
        return LocatedDocument(
            document: PayloadDocument(state, rules: rules),
            partition: partition,
            servedBy: servedBy.withLock { $0 }
        )
    }

    func statuses(_ id: PayloadID, limit: Int?) async throws(ReadFailure) -> [StatusReport]? {
        guard let (state, _) = try await find(id) else { return nil }
        return PayloadDocument.statuses(of: state, limit: limit, rules: rules)
    }

    private func find(_ id: PayloadID) async throws(ReadFailure) -> (PayloadState, Int32)? {
        guard let count = application.topics?[topic]?.partitionCount else {
            throw .noOwner(partition: nil, reason: "the worker has not reached Kafka yet", retryAfterSeconds: 5)
        }
        let partition = id.withUTF8 { Partitioner.murmur2($0, partitionCount: count) }
        if let state = try await load(id, from: try store(partition)) { return (state, partition) }
        guard isInputKeyed else { return nil }
        // Producers that key the input by another partitioner than Java's put payloads where only a look at each store finds them.
        for (other, store) in application.tasks.stores(topic: topic) where other != partition {
            if let state = try await load(id, from: store) { return (state, other) }
        }
        return nil
    }

    private func store(_ partition: Int32) throws(ReadFailure) -> Database {
        let (store, state) = application.tasks.store(topic: topic, partition: partition)
        if let store { return store }
        let reason =
            switch state {
            case .restoring: "partition \(partition) is being restored from its changelog"
            case .some: "partition \(partition) has just been assigned and is being opened"
            case .none: "partition \(partition) is not assigned to this instance"
            }
        throw .noOwner(partition: partition, reason: reason, retryAfterSeconds: 2)
    }

    /// On a thread that may wait for the disk.
    private func load(_ id: PayloadID, from store: Database) async throws(ReadFailure) -> PayloadState? {
        do {
            return try await NIOThreadPool.singleton.runIfActive { try PayloadStore.payload(id, in: store) }
        } catch let error as StreamError {
            if case .store(let error) = error, error.kind == .closed {
                throw .noOwner(partition: nil, reason: "the payload's partition has just moved", retryAfterSeconds: 1)
            }
            throw .store("\(error)")
        } catch {
            throw .store("\(error)")
        }
    }
}
