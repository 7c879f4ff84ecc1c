import Foundation
import KafkaClient
import RocksStore

/// A task's store on disk: a RocksDB database that also holds the changelog offset it stands for, written in the same batch as the
/// state (as KIP-1035 has it), so that a crash leaves it behind the changelog and never ahead or torn.
final class StateStore: Sendable {
    let database: Database
    private static let meta = ColumnFamily("meta", bloomBitsPerKey: nil, compression: .none)
    private static let offsetKey = Array("changelog-offset".utf8)
    private static let identityKey = Array("identity".utf8)

    /// Opens or creates the store. Throws `.incompatible` for one of another application, format or partition count.
    init(path: String, state: Topology.State, identity: Identity, memory: StoreMemory) throws(StreamError) {
        database = try withStore { () throws(StoreError) in
            try Database(path: path, columnFamilies: state.columnFamilies + [StateStore.meta], memory: memory)
        }
        try checkIdentity(identity)
    }

    /// What a store belongs to.
    struct Identity: CustomStringConvertible {
        var application: String
        var formatVersion: Int
        var partition: TopicPartition
        var partitionCount: Int32

        var description: String {
            "application \(application), format \(formatVersion), changelog \(partition.topic), partition \(partition.partition) of \(partitionCount)"
        }
    }

    private func checkIdentity(_ identity: Identity) throws(StreamError) {
        let expected = Array(identity.description.utf8)
        let found = try withStore { () throws(StoreError) in
            try database.value(StateStore.meta, forKey: StateStore.identityKey)
        }
        guard let found else {
            try withStore { () throws(StoreError) in
                let batch = WriteBatch(database)
                try batch.put(StateStore.meta, key: StateStore.identityKey, value: expected)
                try database.write(batch)
            }
            return
        }
        if found != expected {
            throw .incompatible(
                "the store in \(database.path) was built for \(String(decoding: found, as: UTF8.self)), but this worker has \(identity). "
                    + "Restore the partition count, use another application.id, or stop all workers and delete the internal topics and state.dir"
            )
        }
    }

    /// The next offset of the changelog that the store does not hold yet; 0 for a new one.
    func changelogOffset() throws(StreamError) -> Int64 {
        let stored = try withStore { () throws(StoreError) in
            try database.value(StateStore.meta, forKey: StateStore.offsetKey)
        }
        guard let stored else { return 0 }
        guard let offset = Int64(String(decoding: stored, as: UTF8.self)) else {
            throw .incompatible(
                "the store in \(database.path) has no readable changelog offset; delete that directory, it is rebuilt"
            )
        }
        return offset
    }

    /// Writes the batch and the changelog offset it stands for in one step, and clears it.
    func write(_ batch: WriteBatch, changelogOffset: Int64) throws(StreamError) {
        try withStore { () throws(StoreError) in
            try batch.put(StateStore.meta, key: StateStore.offsetKey, value: Array("\(changelogOffset)".utf8))
            try database.write(batch)
        }
        batch.clear()
    }
}
