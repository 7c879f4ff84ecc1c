import Foundation
import PayloadModel
import RocksStore
import StreamRuntime

/// Makes the table files of a payload store, with timers, index and counts, out of payloads that come in the order of their ids. Far
/// cheaper than batches: nothing goes through a memtable, and little has to be compacted.
///
/// The index is sorted without comparing its keys: payloads are sorted by rank, and dealt out to their terms in that order. What that
/// takes is bounded: payloads are taken in chunks, each of which gives files of its own.
final class PayloadTableFiles {
    private let store: Database
    private let directory: String
    private let chunkBytes: Int
    private var payloads: TableFileWriter?
    private var finished: [ColumnFamily: [String]] = [:]
    private(set) var counts: [[UInt8]: Int64] = [:]
    private var fileNumber = 0
    /// Used again for each value.
    private var value: [UInt8] = []
    private var chunk = Chunk()
    private var entries: Entries?

    /// The payloads that are in `payloads` and not in the index yet, by their numbers.
    private struct Chunk {
        var ids: [UInt8] = []
        /// Where each one ends in `ids`.
        var idEnds: [Int] = []
        /// As the store's keys have them, so that they are compared as numbers.
        var ranks: [UInt64] = []
        var timers: [UInt64] = []
        var terms = ByteStrings()
        /// The terms of one payload after those of another.
        var termNumbers: [Int32] = []
        var termEnds: [Int] = []

        var count: Int { idEnds.count }

        var byteCount: Int { ids.count + terms.byteCount + termNumbers.count * 8 + count * 64 }

        func id(_ number: Int) -> Range<Int> { (number == 0 ? 0 : idEnds[number - 1])..<idEnds[number] }

        func terms(_ number: Int) -> ArraySlice<Int32> {
            termNumbers[(number == 0 ? 0 : termEnds[number - 1])..<termEnds[number]]
        }
    }

    /// A chunk's index entries, in their order.
    private struct Entries {
        var writer: TableFileWriter
        /// Terms in their order, and up to which of `payloads` each one goes.
        var terms: [(number: Int, end: Int)]
        /// Payloads by number.
        var payloads: [Int32]
        var nextTerm = 0
        var next = 0
    }

    /// - Parameters:
    ///   - directory: for the files until they are taken in; it is there, and on the store's file system.
    ///   - chunkBytes: memory for a chunk, about.
    init(_ store: Database, directory: String, chunkBytes: Int) {
        self.store = store
        self.directory = directory
        self.chunkBytes = chunkBytes
    }

    /// A chunk is full: `writeEntries` comes before the next payload.
    var isFull: Bool { chunk.byteCount > chunkBytes }

    /// - Parameter logged: the changelog record's value that it was restored from.
    func add(
        _ key: UnsafeRawBufferPointer,
        _ payload: PayloadStore.Restored,
        logged: UnsafeRawBufferPointer
    ) throws(StreamError) {
        value.removeAll(keepingCapacity: true)
        payload.append(logged, to: &value)
        let stored = value
        try withStore { () throws(StoreError) in
            if payloads == nil { payloads = try makeWriter(PayloadStore.payloads) }
            try stored.span.bytes.withUnsafeBytes { value throws(StoreError) in
                try payloads?.put(key: key, value: value)
            }
        }
        chunk.ids.append(contentsOf: key)
        chunk.idEnds.append(chunk.ids.count)
        chunk.timers.append(PayloadStore.timerTime(payload.timerAt))
        chunk.ranks.append(payload.facets.rankNumber)
        payload.facets.forEachTerm { chunk.termNumbers.append(Int32(chunk.terms.number(of: $0))) }
        chunk.termEnds.append(chunk.termNumbers.count)
    }

    /// Writes a part of the chunk's timers and index entries.
    ///
    /// - Returns: whether that was all of them.
    func writeEntries(atMost limit: Int) throws(StreamError) -> Bool {
        if chunk.count == 0 { return true }
        return try withStore { () throws(StoreError) in
            if entries == nil {
                try finish(payloads, PayloadStore.payloads)
                payloads = nil
                try writeTimers()
                entries = try makeEntries()
                return false
            }
            guard try writeIndex(atMost: limit) else { return false }
            try finish(entries?.writer, PayloadStore.index)
            entries = nil
            chunk = Chunk()
            return true
        }
    }

    /// The store takes the files in.
    func ingest() throws(StreamError) {
        for (family, files) in finished {
            try withStore { () throws(StoreError) in try store.ingest(files, into: family) }
        }
        finished = [:]
    }

    private func makeWriter(_ family: ColumnFamily) throws(StoreError) -> TableFileWriter {
        fileNumber += 1
        return try TableFileWriter(store, family, path: "\(directory)/\(family.name)-\(fileNumber).sst")
    }

    private func finish(_ writer: TableFileWriter?, _ family: ColumnFamily) throws(StoreError) {
        guard let writer else { return }
        try writer.finish()
        finished[family, default: []].append(writer.path)
    }

    private func writeTimers() throws(StoreError) {
        let writer = try makeWriter(PayloadStore.timers)
        var key: [UInt8] = []
        // Those of one time in the order of their ids, which is that of their numbers.
        let order = (0..<chunk.count).sorted { (chunk.timers[$0], $0) < (chunk.timers[$1], $1) }
        for payload in order {
            key.removeAll(keepingCapacity: true)
            withUnsafeBytes(of: chunk.timers[payload].bigEndian) { key.append(contentsOf: $0) }
            key.append(contentsOf: chunk.ids[chunk.id(payload)])
            try put(key, writer)
        }
        try finish(writer, PayloadStore.timers)
    }

    private func makeEntries() throws(StoreError) -> Entries {
        let terms = chunk.terms.sorted()
        var starts = [Int](repeating: 0, count: chunk.terms.count)
        for term in chunk.termNumbers { starts[Int(term)] += 1 }
        var start = 0
        var ends: [(number: Int, end: Int)] = []
        for term in terms {
            let count = starts[term]
            chunk.terms.with(term) { bytes in
                if PayloadFacets.isCounted(bytes) { counts[Array(bytes), default: 0] += Int64(count) }
            }
            starts[term] = start
            start += count
            ends.append((term, start))
        }
        var dealt = [Int32](repeating: 0, count: start)
        for payload in (0..<chunk.count).sorted(by: { (chunk.ranks[$0], $0) < (chunk.ranks[$1], $1) }) {
            for term in chunk.terms(payload) {
                dealt[starts[Int(term)]] = Int32(payload)
                starts[Int(term)] += 1
            }
        }
        return Entries(writer: try makeWriter(PayloadStore.index), terms: ends, payloads: dealt)
    }

    private func writeIndex(atMost limit: Int) throws(StoreError) -> Bool {
        guard var entries else { return true }
        self.entries = nil
        defer { self.entries = entries }
        var key: [UInt8] = []
        let last = min(entries.next + limit, entries.payloads.count)
        while entries.next < last {
            let term = entries.terms[entries.nextTerm]
            key.removeAll(keepingCapacity: true)
            chunk.terms.with(term.number) { key.append(contentsOf: $0) }
            let termCount = key.count
            while entries.next < min(term.end, last) {
                let payload = Int(entries.payloads[entries.next])
                key.removeSubrange(termCount...)
                withUnsafeBytes(of: chunk.ranks[payload].bigEndian) { key.append(contentsOf: $0) }
                key.append(contentsOf: chunk.ids[chunk.id(payload)])
                try put(key, entries.writer)
                entries.next += 1
            }
            if entries.next == term.end { entries.nextTerm += 1 }
        }
        return entries.next == entries.payloads.count
    }

    private func put(_ key: [UInt8], _ writer: TableFileWriter) throws(StoreError) {
        try key.span.bytes.withUnsafeBytes { key throws(StoreError) in
            try writer.put(key: key, value: UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }
}
