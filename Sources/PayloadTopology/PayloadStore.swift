import PayloadModel
import RocksStore
import StreamRuntime

/// What a payload store holds and where: the layout of a task's database.
public enum PayloadStore {
    /// Normalised payload id → `PayloadState` (payload_state.proto).
    static let payloads = ColumnFamily("payloads", bloomBitsPerKey: 10, compression: .lz4, blockBytes: 4 << 10)
    /// Due time (microseconds, big-endian) and payload id → nothing. One timer a payload, the one that its state names; others are
    /// left-overs that mean nothing.
    static let timers = ColumnFamily("timers", bloomBitsPerKey: nil, compression: .lz4, blockBytes: 4 << 10)
    /// What the timers were computed with.
    static let settings = ColumnFamily("settings", bloomBitsPerKey: nil, compression: .none)

    static let columnFamilies = [payloads, timers, settings]

    /// A payload's committed state. Thread-safe; reads from disk.
    public static func payload(_ id: PayloadID, in database: Database) throws(StreamError) -> PayloadState? {
        try load(id, from: database)?.state
    }

    static func load(_ id: PayloadID, from database: Database) throws(StreamError) -> (
        state: PayloadState, timerAt: Timestamp
    )? {
        do {
            return try id.withUTF8 { key throws(any Error) in
                try database.withValue(payloads, key) { value in
                    try value.map { try PayloadStateCodec.decode($0, id: id) }
                }
            }
        } catch let error as StoreError {
            throw .store(error)
        } catch {
            throw .incompatible(
                "payload \(id) in \(database.path) cannot be read (\(error)); delete that directory, it is rebuilt"
            )
        }
    }

    static func timerKey(_ time: Timestamp, _ id: UnsafeRawBufferPointer) -> [UInt8] {
        var key: [UInt8] = []
        key.reserveCapacity(8 + id.count)
        withUnsafeBytes(of: UInt64(clamping: time.microseconds).bigEndian) { key.append(contentsOf: $0) }
        key.append(contentsOf: id)
        return key
    }

    /// Nil: not such a key.
    static func timer(fromKey key: UnsafeRawBufferPointer) -> (time: Timestamp, id: PayloadID)? {
        guard key.count > 8 else { return nil }
        let time = UInt64(bigEndian: key.loadUnaligned(as: UInt64.self))
        guard let id = try? PayloadID(normalizing: String(decoding: key.dropFirst(8), as: UTF8.self)) else {
            return nil
        }
        return (Timestamp(microseconds: Int64(clamping: time)), id)
    }
}

/// Fills a payload store from its changelog.
struct PayloadChangelogReader: ChangelogReader {
    func restore(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?, into batch: WriteBatch)
        throws(StreamError)
    {
        guard let id = try? PayloadID(normalizing: String(decoding: key, as: UTF8.self)) else {
            throw .incompatible("the changelog has a key that is no payload id: another program writes to it")
        }
        guard let value else {
            try withStore { () throws(StoreError) in try batch.delete(PayloadStore.payloads, key: key) }
            return
        }
        let timerAt: Timestamp
        do {
            timerAt = try PayloadStateCodec.decode(value, id: id).timerAt
        } catch {
            throw .incompatible(
                "the changelog's record of payload \(id) cannot be read (\(error)): it is of another version or program"
            )
        }
        try withStore { () throws(StoreError) in
            try batch.put(PayloadStore.payloads, key: key, value: value)
            try batch.put(PayloadStore.timers, key: PayloadStore.timerKey(timerAt, key), value: [])
        }
    }
}
