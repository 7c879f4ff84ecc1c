import Foundation
import KafkaClient
import RocksStore

/// A task's store on disk: a RocksDB database that also holds the changelog offset it stands for, written in the same batch as the
/// state (as KIP-1035 has it), so that a crash leaves it behind the changelog and never ahead or torn.
///
/// It has no write-ahead log, as Kafka Streams' stores have none: the changelog is one. A crash takes the store back to its last flush, and
/// the next start reads from the changelog what came after, no more than the write buffers hold or ten minutes brought. A log cost a third
/// of what is written to the disk, and its files stay until each column family was flushed.
final class StateStore: Sendable {
    let database: Database
    private static let meta = ColumnFamily("meta", bloomBitsPerKey: nil, compression: .none)
    private static let offsetKey = Array("changelog-offset".utf8)
    private static let transactionWord: Substring = "transaction"
    /// Before the wall clock in seconds.
    private static let timeSign = "@"
    private static let identityKey = Array("identity".utf8)

    /// Opens or creates the store. Throws `.incompatible` for one of another application or partition count, and a `.store` error of the
    /// kind `incompatible` for one of another format, which can be rebuilt from the changelog.
    init(path: String, state: Topology.State, identity: Identity, memory: StoreMemory) throws(StreamError) {
        database = try withStore { () throws(StoreError) in
            try Database(
                path: path,
                columnFamilies: state.columnFamilies + [StateStore.meta],
                memory: memory
            )
        }
        try checkIdentity(identity)
    }

    /// Opens a store that is there, whatever its changelog is. Throws a `.store` error of the kind `incompatible` for one of another format.
    static func openOffline(path: String, state: Topology.State, memory: StoreMemory) throws(StreamError) -> Database {
        let families = state.columnFamilies + [meta]
        let options = DatabaseOptions(createIfMissing: false)
        let database = try withStore { () throws(StoreError) in
            try Database(path: path, columnFamilies: families, memory: memory, options: options)
        }
        let found = try withStore { () throws(StoreError) in try database.value(meta, forKey: identityKey) }
        // Without one it is new, and holds nothing yet.
        guard found.map({ String(decoding: $0, as: UTF8.self).contains(", format \(state.formatVersion), ") }) ?? true
        else {
            throw .store(
                StoreError(
                    .incompatible,
                    path: path,
                    "it has another format than \(state.formatVersion); serve rebuilds it"
                )
            )
        }
        return database
    }

    /// What a store belongs to.
    struct Identity: CustomStringConvertible {
        var application: String
        var formatVersion: Int
        var partition: TopicPartition
        var partitionCount: Int32

        var description: String {
            "\(prefix)\(formatVersion)\(suffix)"
        }

        private var prefix: String { "application \(application), format " }

        private var suffix: String {
            ", changelog \(partition.topic), partition \(partition.partition) of \(partitionCount)"
        }

        /// Whether `description` is of a store that differs in nothing but its format.
        func isOtherFormat(_ description: String) -> Bool {
            guard description.hasPrefix(prefix), description.hasSuffix(suffix) else { return false }
            let version = description.dropFirst(prefix.count).dropLast(suffix.count)
            return Int(version).map { $0 != formatVersion } ?? false
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
                // So that whoever looks at it after a crash knows what it is.
                try database.flush()
            }
            return
        }
        if found != expected {
            if identity.isOtherFormat(String(decoding: found, as: UTF8.self)) {
                throw .store(
                    StoreError(
                        .incompatible,
                        path: database.path,
                        "it has another format than \(identity.formatVersion), which this program has; serve rebuilds it"
                    )
                )
            }
            throw .incompatible(
                "the store in \(database.path) was built for \(String(decoding: found, as: UTF8.self)), but this worker has \(identity). "
                    + "Restore the partition count, use another application.id, or stop all workers and delete the internal topics and state.dir"
            )
        }
    }

    /// The next offset of the changelog that the store does not hold yet; 0 for a new one.
    func changelogOffset() throws(StreamError) -> Int64 { try position().offset }

    /// Whether `logEnd` is all that the store lacks: where its last write was a transaction, the marker that ended that is the only thing
    /// that one further offset can hold, given that no transaction is open there.
    func lacksOnlyMarker(before logEnd: Int64) throws(StreamError) -> Bool {
        let position = try position()
        return position.isTransaction && position.offset + 1 == logEnd
    }

    /// When the store last stood at its changelog offset, wall clock; nil for a new one, and for one of an earlier version.
    func writtenAt() throws(StreamError) -> Date? { try position().writtenAt }

    private func position() throws(StreamError) -> (offset: Int64, isTransaction: Bool, writtenAt: Date?) {
        let stored = try withStore { () throws(StoreError) in
            try database.value(StateStore.meta, forKey: StateStore.offsetKey)
        }
        guard let stored else { return (0, false, nil) }
        let words = String(decoding: stored, as: UTF8.self).split(separator: " ")
        guard let offset = words.first.flatMap({ Int64($0) }) else {
            throw .store(StoreError(.corruption, path: database.path, "its changelog offset cannot be read"))
        }
        let seconds = words.last { $0.hasPrefix(StateStore.timeSign) }.flatMap { Double($0.dropFirst()) }
        return (offset, words.contains(StateStore.transactionWord), seconds.map { Date(timeIntervalSince1970: $0) })
    }

    /// Writes the batch and the changelog offset it stands for in one step, and clears it.
    ///
    /// - Parameters:
    ///   - isTransaction: the changelog's records before that offset were written in a transaction that is committed.
    ///   - now: wall clock.
    func write(
        _ batch: WriteBatch,
        changelogOffset: Int64,
        isTransaction: Bool = false,
        at now: Date = Date()
    ) throws(StreamError) {
        let time = " \(StateStore.timeSign)\(Int64(now.timeIntervalSince1970))"
        let position = "\(changelogOffset)" + (isTransaction ? " \(StateStore.transactionWord)" : "") + time
        try withStore { () throws(StoreError) in
            try batch.put(StateStore.meta, key: StateStore.offsetKey, value: Array(position.utf8))
            try database.write(batch)
        }
        batch.clear()
    }

    /// Makes durable what was written; waits for the disk. Thread-safe.
    func flush() throws(StreamError) { try withStore { () throws(StoreError) in try database.flush() } }

    /// Writes a batch that stands for the same changelog offset as before, because nothing was logged with it, and clears it.
    func write(_ batch: WriteBatch) throws(StreamError) {
        try withStore { () throws(StoreError) in try database.write(batch) }
        batch.clear()
    }
}
