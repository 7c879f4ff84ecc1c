import PayloadModel
import RocksStore
import StreamRuntime

/// What a payload store holds and where: the layout of a task's database.
public enum PayloadStore {
    /// Of the layout below. A store of another one is rebuilt from the changelog, whose values have a format of their own.
    static let formatVersion = 2

    /// Normalised payload id → the length of its facets (four bytes, big-endian), `PayloadFacets`, `PayloadState` (payload_state.proto).
    static let payloads = ColumnFamily("payloads", bloomBitsPerKey: 10, compression: .lz4, blockBytes: 4 << 10)
    /// Due time (microseconds, big-endian) and payload id → nothing. One timer a payload, the one that its state names; others are
    /// left-overs that mean nothing.
    static let timers = ColumnFamily("timers", bloomBitsPerKey: nil, compression: .lz4, blockBytes: 4 << 10)
    /// What timers and facets were computed with.
    static let settings = ColumnFamily("settings", bloomBitsPerKey: nil, compression: .none)
    /// Term, rank and payload id → nothing: what lists are read from, for payloads that are not recent.
    static let index = ColumnFamily("index", bloomBitsPerKey: nil, compression: .lz4, blockBytes: 4 << 10)
    /// Payload id → nothing: payloads that have no index entries, because they are changing. See `PayloadIndex`.
    static let recent = ColumnFamily("recent", bloomBitsPerKey: nil, compression: .none)
    /// Term → how many payloads have it (eight bytes, big-endian); none has none.
    static let counts = ColumnFamily("counts", bloomBitsPerKey: nil, compression: .none)

    static let columnFamilies = [payloads, timers, settings, index, recent, counts]

    // MARK: Payloads

    /// A payload's committed state. Thread-safe; reads from disk.
    public static func payload(_ id: PayloadID, in database: Database) throws(StreamError) -> PayloadState? {
        try load(id, from: database)?.state
    }

    /// How many payloads a store holds. Thread-safe; one look.
    public static func count(in database: Database) throws(StreamError) -> Int {
        let value = try withStore { () throws(StoreError) in
            try database.value(counts, forKey: PayloadFacets.term(.all, []))
        }
        return Int(clamping: value.flatMap { $0.withUnsafeBytes(decodeCount) } ?? 0)
    }

    /// A payload as it is stored.
    package struct Stored {
        package var state: PayloadState
        var timerAt: Timestamp
        var facets: PayloadFacets
    }

    static func load(_ id: PayloadID, from database: Database, snapshot: Snapshot? = nil) throws(StreamError)
        -> Stored?
    {
        try withStoredValue(of: id, in: database, snapshot) { value throws(any Error) in
            try value.map { try decode($0, id: id) }
        }
    }

    static func facets(of id: PayloadID, in database: Database) throws(StreamError) -> PayloadFacets? {
        try withStoredValue(of: id, in: database, nil) { value throws(any Error) in
            try value.map { try PayloadFacets(try split($0).facets) }
        }
    }

    /// What a payload has left elsewhere in its store.
    struct Traces {
        var facets: PayloadFacets
        var timerAt: Timestamp
    }

    static func traces(of id: PayloadID, in database: Database) throws(StreamError) -> Traces? {
        try withStoredValue(of: id, in: database, nil) { value throws(any Error) in
            try value.map { value in
                let parts = try split(value)
                return Traces(
                    facets: try PayloadFacets(parts.facets),
                    timerAt: try PayloadStateCodec.timerAt(parts.state)
                )
            }
        }
    }

    /// Gives `body` the value of a payload, nil when there is none. What it throws means that the value is damaged.
    static func withStoredValue<Result>(
        of id: PayloadID,
        in database: Database,
        _ snapshot: Snapshot?,
        _ body: (UnsafeRawBufferPointer?) throws -> Result
    ) throws(StreamError) -> Result {
        do {
            return try id.withUTF8 { key throws(any Error) in
                try database.withValue(payloads, key, snapshot: snapshot, body)
            }
        } catch let error as StoreError {
            throw .store(error)
        } catch {
            throw unreadable("payload \(id)", in: database, error)
        }
    }

    /// Damage like any other of the store's files: the store is rebuilt.
    static func unreadable(_ what: String, in database: Database, _ error: any Error) -> StreamError {
        .store(StoreError(.corruption, path: database.path, "\(what) cannot be read: \(error)"))
    }

    package static func decode(_ value: UnsafeRawBufferPointer, id: PayloadID) throws -> Stored {
        let parts = try split(value)
        let (state, timerAt) = try PayloadStateCodec.decode(parts.state, id: id)
        return Stored(state: state, timerAt: timerAt, facets: try PayloadFacets(parts.facets))
    }

    /// - Parameter state: as `PayloadStateCodec` encodes it.
    package static func encode(_ facets: PayloadFacets, _ state: some Collection<UInt8>) -> [UInt8] {
        var value: [UInt8] = []
        value.reserveCapacity(4 + facets.bytes.count + state.count)
        append(facets, state, to: &value)
        return value
    }

    static func append(_ facets: PayloadFacets, _ state: some Collection<UInt8>, to value: inout [UInt8]) {
        withUnsafeBytes(of: UInt32(facets.bytes.count).bigEndian) { value.append(contentsOf: $0) }
        value.append(contentsOf: facets.bytes)
        value.append(contentsOf: state)
    }

    /// What a store holds of a changelog record.
    struct Restored {
        var facets: PayloadFacets
        var timerAt: Timestamp
        /// The state, where the timer is not the one that was logged with it.
        private var recoded: [UInt8]?

        /// - Parameter logged: a changelog record's value.
        init(_ logged: UnsafeRawBufferPointer, id: PayloadID, rules: PayloadRules) throws {
            let (state, loggedTimerAt) = try PayloadStateCodec.decode(logged, id: id)
            facets = PayloadFacets(state, rules: rules)
            // Who wrote it may have had other settings.
            timerAt = min(state.nextTimer(rules), loggedTimerAt)
            if timerAt < loggedTimerAt { recoded = PayloadStateCodec.encode(state, timerAt: timerAt) }
        }

        /// - Parameter logged: as it was given.
        func append(_ logged: UnsafeRawBufferPointer, to value: inout [UInt8]) {
            if let recoded {
                PayloadStore.append(facets, recoded, to: &value)
            } else {
                PayloadStore.append(facets, logged, to: &value)
            }
        }
    }

    /// The two parts of a stored value.
    static func split(_ value: UnsafeRawBufferPointer) throws(PayloadFacets.Malformed) -> (
        facets: UnsafeRawBufferPointer, state: UnsafeRawBufferPointer
    ) {
        guard value.count >= 4 else { throw PayloadFacets.Malformed() }
        let count = Int(UInt32(bigEndian: value.loadUnaligned(as: UInt32.self)))
        guard count <= value.count - 4 else { throw PayloadFacets.Malformed() }
        return (
            UnsafeRawBufferPointer(rebasing: value[4..<4 + count]),
            UnsafeRawBufferPointer(rebasing: value[(4 + count)...])
        )
    }

    // MARK: Timers

    static func timerKey(_ time: Timestamp, _ id: UnsafeRawBufferPointer) -> [UInt8] {
        var key: [UInt8] = []
        key.reserveCapacity(8 + id.count)
        withUnsafeBytes(of: timerTime(time).bigEndian) { key.append(contentsOf: $0) }
        key.append(contentsOf: id)
        return key
    }

    /// The time as timers' keys have it.
    static func timerTime(_ time: Timestamp) -> UInt64 { UInt64(clamping: time.microseconds) }

    /// Nil: not such a key.
    static func timer(fromKey key: UnsafeRawBufferPointer) -> (time: Timestamp, id: PayloadID)? {
        guard key.count > 8 else { return nil }
        let time = UInt64(bigEndian: key.loadUnaligned(as: UInt64.self))
        guard let id = id(fromKey: key.dropFirst(8)) else { return nil }
        return (Timestamp(microseconds: Int64(clamping: time)), id)
    }

    // MARK: Index and counts

    static func indexKey(_ term: ArraySlice<UInt8>, _ rank: ArraySlice<UInt8>, _ id: UnsafeRawBufferPointer) -> [UInt8]
    {
        var key: [UInt8] = []
        key.reserveCapacity(term.count + rank.count + id.count)
        appendIndexKey(term, rank, id, to: &key)
        return key
    }

    static func appendIndexKey(
        _ term: ArraySlice<UInt8>,
        _ rank: ArraySlice<UInt8>,
        _ id: UnsafeRawBufferPointer,
        to bytes: inout [UInt8]
    ) {
        bytes.append(contentsOf: term)
        bytes.append(contentsOf: rank)
        bytes.append(contentsOf: id)
    }

    /// Nil: no payload id.
    static func id(fromKey key: some Collection<UInt8>) -> PayloadID? {
        try? PayloadID(normalizing: String(decoding: key, as: UTF8.self))
    }

    static func recentIDs(in database: Database, snapshot: Snapshot? = nil) throws(StreamError) -> [PayloadID] {
        try withStore { () throws(StoreError) in
            var ids: [PayloadID] = []
            var iterator = try database.makeIterator(recent, snapshot: snapshot)
            var isValid = try iterator.seekToFirst()
            while isValid {
                if let id = id(fromKey: iterator.key) { ids.append(id) }
                isValid = try iterator.next()
            }
            return ids
        }
    }

    /// How many payloads have a term, for the terms that are counted.
    static func counts(in database: Database) throws(StreamError) -> [[UInt8]: Int64] {
        try withStore { () throws(StoreError) in
            var found: [[UInt8]: Int64] = [:]
            var iterator = try database.makeIterator(counts)
            var isValid = try iterator.seekToFirst()
            while isValid {
                found[Array(iterator.key)] = decodeCount(iterator.value)
                isValid = try iterator.next()
            }
            return found
        }
    }

    /// Nil: not a count.
    private static func decodeCount(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        bytes.count == 8 ? Int64(bigEndian: bytes.loadUnaligned(as: Int64.self)) : nil
    }

    static func encodeCount(_ count: Int64) -> [UInt8] { withUnsafeBytes(of: count.bigEndian) { Array($0) } }
}
