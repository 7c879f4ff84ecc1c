import Foundation
import PayloadModel
import RocksStore
import StreamRuntime
import Synchronization

@testable import PayloadTopology

/// A payload store that is written as a task writes it, commit by commit, with the changelog that it leaves, and a model of what it
/// holds.
final class ListedStore {
    private final class Seconds: Sendable {
        private let current = Mutex(0.0)
        var value: Double {
            get { current.withLock { $0 } }
            set { current.withLock { $0 = newValue } }
        }
    }

    let directory = FileManager.default.temporaryDirectory.path + "/listed-store-\(UUID().uuidString)"
    private let memory = StoreMemory(blockCacheBytes: 8 << 20, writeBufferBytes: 16 << 20)
    private let limits: PayloadIndex.Limits
    /// Lists are asked for now and then, and for longer than ten minutes not.
    let demand: ListDemand
    private let demandSeconds: Seconds
    private var commits = 0
    private(set) var database: Database
    private(set) var index: PayloadIndex
    private(set) var states: [PayloadID: PayloadState] = [:]
    private(set) var changelog: [(key: [UInt8], value: [UInt8]?)] = []
    /// Wall clock, microseconds.
    private(set) var now: Int64 = 1_000_000
    var rules: PayloadRules

    init(_ rules: PayloadRules = PayloadRules(), limits: PayloadIndex.Limits = PayloadIndex.Limits()) throws {
        self.rules = rules
        self.limits = limits
        let seconds = Seconds()
        demandSeconds = seconds
        demand = ListDemand { seconds.value }
        database = try Database(path: directory, columnFamilies: PayloadStore.columnFamilies, memory: memory)
        index = try PayloadIndex(database, now: now, demand: demand, limits: limits)
        try PayloadRecomputation.run(in: database, rules: rules, index: index)
    }

    deinit {
        database.close()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// As after a restart of the worker with `rules`.
    func reopen() throws {
        database.close()
        database = try Database(path: directory, columnFamilies: PayloadStore.columnFamilies, memory: memory)
        index = try PayloadIndex(database, now: now, demand: demand, limits: limits)
        try PayloadRecomputation.run(in: database, rules: rules, index: index)
    }

    /// Commits the states; one without stages is removed.
    func commit(_ changed: [PayloadState], after microseconds: Int64 = 0) throws {
        now += microseconds
        commits += 1
        if commits % 7 == 3 { demand.asked() }
        if commits % 7 == 6 { demandSeconds.value += 1_000 }
        let batch = WriteBatch(database)
        for state in changed {
            let key = state.id.withUTF8 { Array($0) }
            let stored = try PayloadStore.load(state.id, from: database)
            let facets = state.stages.isEmpty ? nil : PayloadFacets(state, rules: rules)
            try key.withUnsafeBytes {
                try index.replace(state.id, $0, from: stored?.facets, to: facets, at: now, in: batch)
            }
            guard let facets else {
                try batch.delete(PayloadStore.payloads, key: key)
                states[state.id] = nil
                changelog.append((key, nil))
                continue
            }
            let timerAt = state.nextTimer(rules)
            let encoded = PayloadStateCodec.encode(state, timerAt: timerAt)
            try batch.put(PayloadStore.payloads, key: key, value: PayloadStore.encode(facets, encoded))
            try key.withUnsafeBytes {
                try batch.put(PayloadStore.timers, key: PayloadStore.timerKey(timerAt, $0), value: [])
            }
            states[state.id] = state
            changelog.append((key, encoded))
        }
        try index.finish(batch, at: now)
        try database.write(batch)
    }

    /// A store made from records of the changelog, in batches of `batchSize`; what it had before stays.
    func restore(_ records: some Collection<Record>, batchSize: Int, into store: Database) throws {
        let restoration = try PayloadChangelogReader(rules: rules).makeRestoration(of: store, isEmpty: false)
        let batch = WriteBatch(store)
        try restore(records, into: store, restoration, batch) { $0 % batchSize == 0 }
        try complete(store, restoration, batch)
    }

    /// A new store filled from records of the changelog, as `Restorer` does it.
    ///
    /// - Parameters:
    ///   - isEmpty: false: goes on with what was interrupted.
    ///   - runSize: records that are held; 0: all.
    ///   - completions: the steps of the second part after which that is interrupted; 0: it does not come to one.
    ///   - losesLastBatch: it is interrupted before that is written.
    func fill(
        _ store: Database,
        with records: some Collection<Record>,
        isEmpty: Bool = true,
        runSize: Int = 0,
        completions: Int = .max,
        losesLastBatch: Bool = false
    ) throws {
        let restoration = try PayloadBulkRestoration(store, isEmpty: isEmpty, rules: rules, chunkBytes: 20_000)
        let batch = WriteBatch(store)
        try restore(records, into: store, restoration, batch) { runSize > 0 && $0 % runSize == 0 }
        try complete(store, restoration, batch, atMost: completions, losesLastBatch: losesLastBatch)
    }

    typealias Record = (key: [UInt8], value: [UInt8]?)

    private func restore(
        _ records: some Collection<Record>,
        into store: Database,
        _ restoration: any Restoration,
        _ batch: WriteBatch,
        isDue: (Int) -> Bool
    ) throws {
        for (number, record) in records.enumerated() {
            try record.key.withUnsafeBytes { key in
                if let value = record.value {
                    try value.withUnsafeBytes { try restoration.restore(key: key, value: $0, into: batch) }
                } else {
                    try restoration.restore(key: key, value: nil, into: batch)
                }
            }
            if isDue(number + 1) { try finish(store, restoration, batch) }
        }
    }

    private func finish(_ store: Database, _ restoration: any Restoration, _ batch: WriteBatch) throws {
        _ = try restoration.finish(batch)
        try store.write(batch)
        batch.clear()
    }

    private func complete(
        _ store: Database,
        _ restoration: any Restoration,
        _ batch: WriteBatch,
        atMost limit: Int = .max,
        losesLastBatch: Bool = false
    ) throws {
        for _ in 0..<limit {
            if try restoration.complete(into: batch) {
                if losesLastBatch { return }
                try finish(store, restoration, batch)
                return try restoration.completed()
            }
            try store.write(batch)
            batch.clear()
        }
    }

    /// An empty store beside this one.
    func emptyStore(_ name: String) throws -> Database {
        try Database(path: "\(directory)-\(name)", columnFamilies: PayloadStore.columnFamilies, memory: memory)
    }

    /// How many timers a store has.
    func timerCount(of store: Database) throws -> Int {
        var count = 0
        var iterator = try store.makeIterator(PayloadStore.timers)
        var isValid = try iterator.seekToFirst()
        while isValid {
            count += 1
            isValid = try iterator.next()
        }
        return count
    }

    /// What is wrong with timers, index and counts.
    func problems() throws -> [String] {
        try PayloadInspection.problems(of: database, rules: rules, atMost: 5)
    }
}
