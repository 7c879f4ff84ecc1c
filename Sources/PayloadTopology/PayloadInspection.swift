import PayloadModel
import RocksStore
import StreamRuntime

/// Looks through a whole payload store: whether timers, index and counts say what its payloads say.
enum PayloadInspection {
    /// What is wrong with the store by itself, a sentence each, the first few.
    static func problems(of store: Database, rules: PayloadRules, atMost limit: Int) throws(StreamError) -> [String] {
        var problems: [String] = []
        let recent = Set(try PayloadStore.recentIDs(in: store))
        // Computed with other settings, they are brought in line when a worker starts.
        let isUpToDate = try PayloadRecomputation.isUpToDate(store, rules)
        var expectedCounts: [[UInt8]: Int64] = [:]
        var expectedEntries = 0
        var recentSeen = 0
        try forEachPayload(of: store) { id, stored throws(StreamError) in
            if isUpToDate && stored.facets != PayloadFacets(stored.state, rules: rules) {
                problems.append("payload \(id) is filed under other values than it has")
            }
            for term in stored.facets.countedTerms { expectedCounts[Array(term), default: 0] += 1 }
            try id.withUTF8 { key throws(StreamError) in
                if try !contains(PayloadStore.timers, PayloadStore.timerKey(stored.timerAt, key), store) {
                    problems.append("payload \(id) has no timer")
                }
                if recent.contains(id) {
                    recentSeen += 1
                    return
                }
                for term in stored.facets.terms {
                    expectedEntries += 1
                    if try !contains(PayloadStore.index, PayloadStore.indexKey(term, stored.facets.rank, key), store) {
                        problems.append("payload \(id) lacks an index entry of field \(term.first ?? 0)")
                    }
                }
            }
            return problems.count < limit
        }
        // What was not looked at to the end cannot be counted.
        if problems.count >= limit { return problems }
        let entries = try count(PayloadStore.index, store)
        if entries != expectedEntries {
            problems.append("the index has \(entries) entries, and the payloads have \(expectedEntries)")
        }
        if recentSeen != recent.count {
            problems.append("\(recent.count - recentSeen) recent payloads are not in the store")
        }
        if try PayloadStore.counts(in: store) != expectedCounts {
            problems.append("the counts are not those of the payloads")
        }
        return problems
    }

    /// In the order of their ids, until `body` returns false.
    static func forEachPayload(
        of store: Database,
        _ body: (PayloadID, PayloadStore.Stored) throws(StreamError) -> Bool
    ) throws(StreamError) {
        do {
            var iterator = try store.makeIterator(PayloadStore.payloads)
            var isValid = try iterator.seekToFirst()
            while isValid {
                let id = try PayloadID(normalizing: String(decoding: iterator.key, as: UTF8.self))
                if try !body(id, try PayloadStore.decode(iterator.value, id: id)) { return }
                isValid = try iterator.next()
            }
        } catch let error as StreamError {
            throw error
        } catch let error as StoreError {
            throw .store(error)
        } catch {
            throw PayloadStore.unreadable("a payload", in: store, error)
        }
    }

    private static func contains(_ family: ColumnFamily, _ key: [UInt8], _ store: Database) throws(StreamError) -> Bool
    {
        try withStore { () throws(StoreError) in try store.value(family, forKey: key) != nil }
    }

    private static func count(_ family: ColumnFamily, _ store: Database) throws(StreamError) -> Int {
        try withStore { () throws(StoreError) in
            var count = 0
            var iterator = try store.makeIterator(family)
            var isValid = try iterator.seekToFirst()
            while isValid {
                count += 1
                isValid = try iterator.next()
            }
            return count
        }
    }
}
