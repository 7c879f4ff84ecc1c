import Foundation
import RocksStore

/// The stores of a state directory, opened without Kafka while no worker has them. What they hold is committed, and may be behind their
/// changelogs. Open as long as this lives.
public final class OfflineStores: Sendable {
    /// Of all sources that keep state.
    public let stores: [TaskID: Database]
    /// Keeps workers away.
    private let directory: StateDirectory

    /// Opens every store there is. Blocks.
    ///
    /// - Throws: `.incompatible` when there is no state or a process has it, `.store` for one that cannot be read or has another format.
    public init(settings: StreamSettings, topology: Topology) throws(StreamError) {
        let path = "\(settings.stateDirectory)/\(settings.applicationID)"
        // A worker that was just stopped may still be closing its stores.
        directory = try StateDirectory(existing: path, patience: 1)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        let memory = StoreMemory(blockCacheBytes: settings.blockCacheBytes, writeBufferBytes: settings.writeBufferBytes)
        var stores: [TaskID: Database] = [:]
        for source in topology.sources {
            guard let state = source.state else { continue }
            for name in names where name.hasPrefix("\(source.topic)-") {
                guard let partition = Int32(name.dropFirst(source.topic.count + 1)) else { continue }
                let task = TaskID(topic: source.topic, partition: partition)
                stores[task] = try StateStore.openOffline(path: "\(path)/\(name)", state: state, memory: memory)
            }
        }
        self.stores = stores
    }

    deinit {
        for store in stores.values { store.close() }
    }
}
