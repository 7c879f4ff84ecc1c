import Foundation
import PayloadModel
import RocksStore
import StreamRuntime

/// Fills a payload store that was empty from its changelog, in two parts. First the records are read, as bytes, of which the last of each
/// key is kept: in memory, and where that does not suffice in runs beside the store. Then each payload that is left is decoded, once and
/// in the order of the ids, and table files are made that the store takes in: payloads, timers, index.
///
/// Until then the store says that it is being filled. When that was interrupted, the second part begins anew, and so does the first one
/// unless there are runs: then it goes on behind them.
final class PayloadBulkRestoration: Restoration {
    private let store: Database
    private let rules: PayloadRules
    private let directory: String
    private let chunkBytes: Int
    private var held = HeldRecords()
    private var runs: RestorationRuns?
    private var second: SecondPart?
    private var isComplete = false

    private struct SecondPart {
        let files: PayloadTableFiles
        /// Of what is held.
        let order: [Int]
        /// Where it goes on in `order`.
        var next = 0
        /// The chunk has to be written before more payloads are taken.
        var isWriting = false
    }

    private static let markKey = Array("being-filled".utf8)
    /// What `complete` does in one go: a few milliseconds.
    private static let payloadsAtOnce = 256
    private static let entriesAtOnce = 8_192

    /// - Parameters:
    ///   - isEmpty: the store stands for no record of the changelog; otherwise there are runs from before.
    ///   - chunkBytes: of memory that the second part takes, about.
    init(_ store: Database, isEmpty: Bool, rules: PayloadRules, chunkBytes: Int = 32 << 20) throws(StreamError) {
        self.store = store
        self.rules = rules
        self.chunkBytes = chunkBytes
        directory = PayloadBulkRestoration.directory(of: store)
        if isEmpty {
            try PayloadBulkRestoration.removeFiles(of: store)
        } else {
            guard RestorationRuns.exist(in: directory) else {
                throw .store(
                    StoreError(.corruption, path: store.path, "what it was being filled from is missing")
                )
            }
        }
        try makeDirectory()
        try withStore { () throws(StoreError) in
            if !isEmpty { runs = try RestorationRuns(of: store, in: directory) }
            let batch = WriteBatch(store)
            try batch.put(PayloadStore.settings, key: PayloadBulkRestoration.markKey, value: [])
            try store.write(batch)
            // Files that the store takes in are durable at once.
            try store.flush()
        }
    }

    static func isUnfinished(_ store: Database) throws(StreamError) -> Bool {
        try withStore { () throws(StoreError) in try store.value(PayloadStore.settings, forKey: markKey) } != nil
    }

    // MARK: Files

    private static func directory(of store: Database) -> String { "\(store.path)/restoring" }

    /// Removes what a restoration has left beside the store.
    static func removeFiles(of store: Database) throws(StreamError) {
        let directory = directory(of: store)
        guard FileManager.default.fileExists(atPath: directory) else { return }
        do {
            try FileManager.default.removeItem(atPath: directory)
        } catch {
            throw .store(StoreError(.io, path: store.path, "\(directory) cannot be deleted: \(error)"))
        }
    }

    /// Without the files that an interrupted restoration was writing.
    private func makeDirectory() throws(StreamError) {
        let files = FileManager.default
        do {
            try files.createDirectory(atPath: directory, withIntermediateDirectories: true)
            for name in try files.contentsOfDirectory(atPath: directory) where name.hasSuffix(".sst") {
                try files.removeItem(atPath: "\(directory)/\(name)")
            }
        } catch {
            throw .store(StoreError(.io, path: store.path, "\(directory) cannot be made: \(error)"))
        }
    }

    // MARK: Records

    var heldBytes: Int { held.byteCount }

    func restore(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?, into batch: WriteBatch) {
        held.set(key, value)
    }

    func finish(_ batch: WriteBatch) throws(StreamError) -> Bool {
        if held.isEmpty { return false }
        try addRun()
        return true
    }

    private func addRun() throws(StreamError) {
        if held.isEmpty { return }
        try withStore { () throws(StoreError) in
            if runs == nil { runs = try RestorationRuns(of: store, in: directory) }
            try runs?.add(held)
        }
        held.removeAll()
    }

    // MARK: Payloads

    func complete(into batch: WriteBatch) throws(StreamError) -> Bool {
        guard var part = second else {
            second = try begin()
            return false
        }
        second = nil
        defer { second = part }
        if part.isWriting || part.files.isFull {
            part.isWriting = try !part.files.writeEntries(atMost: PayloadBulkRestoration.entriesAtOnce)
            return false
        }
        if try take(&part) { return false }
        if try !part.files.writeEntries(atMost: PayloadBulkRestoration.entriesAtOnce) {
            part.isWriting = true
            return false
        }
        try part.files.ingest()
        held = HeldRecords()
        try withStore { () throws(StoreError) in
            for (term, count) in part.files.counts {
                try batch.put(PayloadStore.counts, key: term, value: PayloadStore.encodeCount(count))
            }
            try batch.delete(PayloadStore.settings, key: PayloadBulkRestoration.markKey)
            try PayloadRecomputation.putUpToDate(rules, in: batch)
        }
        return true
    }

    func completed() throws(StreamError) {
        runs = nil
        second = nil
        try PayloadBulkRestoration.removeFiles(of: store)
    }

    private func begin() throws(StreamError) -> SecondPart {
        // What an interrupted second part left behind is in the way of this one.
        try withStore { () throws(StoreError) in
            for family in PayloadStore.columnFamilies where family != PayloadStore.settings {
                try deleteAll(of: family)
            }
        }
        // In one place.
        if runs != nil { try addRun() }
        let files = PayloadTableFiles(store, directory: directory, chunkBytes: chunkBytes)
        return SecondPart(files: files, order: held.sorted())
    }

    /// Returns whether there may be more.
    private func take(_ part: inout SecondPart) throws(StreamError) -> Bool {
        if let runs {
            return try runs.read(atMost: PayloadBulkRestoration.payloadsAtOnce) { key, value throws(StreamError) in
                try add(key, value, to: part.files)
            }
        }
        let end = min(part.next + PayloadBulkRestoration.payloadsAtOnce, part.order.count)
        while part.next < end {
            try held.with(part.order[part.next]) { key, value throws(StreamError) in
                if let value { try add(key, value, to: part.files) }
            }
            part.next += 1
        }
        return part.next < part.order.count
    }

    private func add(
        _ key: UnsafeRawBufferPointer,
        _ logged: UnsafeRawBufferPointer,
        to files: PayloadTableFiles
    ) throws(StreamError) {
        guard let id = PayloadStore.id(fromKey: key) else {
            throw .incompatible("the changelog has a key that is no payload id: another program writes to it")
        }
        let payload: PayloadStore.Restored
        do {
            payload = try PayloadStore.Restored(logged, id: id, rules: rules)
        } catch {
            throw .incompatible(
                "the changelog's record of payload \(id) cannot be read (\(error)): it is of another version or program"
            )
        }
        try files.add(key, payload, logged: logged)
    }

    private func deleteAll(of family: ColumnFamily) throws(StoreError) {
        let batch = WriteBatch(store)
        var iterator = try store.makeIterator(family)
        var isValid = try iterator.seekToFirst()
        while isValid {
            try batch.delete(family, key: iterator.key)
            isValid = try iterator.next()
            if batch.byteCount > PayloadBulkRestoration.deletedBytesAtOnce || !isValid {
                try store.write(batch)
                batch.clear()
            }
        }
    }

    private static let deletedBytesAtOnce = 1 << 20
}
