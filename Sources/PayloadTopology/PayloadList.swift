import PayloadModel
import RocksStore
import StreamRuntime

/// Reads pages of payloads from stores, newest first: what `GET /v1/payloads` answers from one instance.
///
/// Every filter is a range of the index, and all ranges have the same order. Several are joined by skipping: each in turn seeks to where
/// the furthest is, and where all are at the same payload, that one has everything that is asked for (a zigzag merge join). So a page
/// costs what its rarest filter costs, and nothing has to be estimated. Recent payloads have no entries and are looked at one by one.
public enum PayloadList {
    public struct Page: Sendable {
        public var items: [Item]
        /// The next page begins after this; nil: there is nothing more.
        public var next: ListPosition?
    }

    public struct Item: Sendable {
        public var state: PayloadState
        public var partition: Int32
    }

    /// Moves of index iterators that one store may take for a page. Filters that hardly have a payload in common need many for each
    /// that they have; then the page is short.
    public static let maxSteps = 5_000

    /// A page of what the stores hold together, a pure function of their contents and the arguments. Each store is read as it is at one
    /// moment. Thread-safe; reads from disk.
    ///
    /// - Parameters:
    ///   - stores: by partition.
    ///   - start: the page begins after it; nil: with the newest.
    ///   - limit: the most items, at least 1. A page may have fewer, or none, and still a `next`.
    public static func page(
        of stores: [Int32: Database],
        _ filter: PayloadFilter,
        after start: ListPosition?,
        limit: Int,
        maxSteps: Int = PayloadList.maxSteps
    ) throws(StreamError) -> Page {
        let request = ListRequest(filter, after: start)
        var found: [(place: [UInt8], partition: Int32)] = []
        var snapshots: [Int32: Snapshot] = [:]
        var stops: [[UInt8]] = []
        for (partition, store) in stores {
            let snapshot = try withStore { () throws(StoreError) in try store.snapshot() }
            snapshots[partition] = snapshot
            let reader = ListReader(store: store, snapshot: snapshot, request: request)
            // One more than is shown tells whether there is more.
            let (places, stoppedAt) = try reader.places(limit: limit + 1, maxSteps: maxSteps)
            found += places.map { ($0, partition) }
            if let stoppedAt { stops.append(stoppedAt) }
        }
        // Nobody knows what the stores that stopped have after this place.
        let bound = stops.min { $0.lexicographicallyPrecedes($1) }
        found.sort { $0.place.lexicographicallyPrecedes($1.place) }
        if let bound { found.removeAll { bound.lexicographicallyPrecedes($0.place) } }
        let shown = found.prefix(limit)
        var items: [Item] = []
        for (place, partition) in shown {
            guard let id = PayloadStore.id(fromKey: place.dropFirst(PayloadFacets.rankBytes)),
                let store = stores[partition],
                let stored = try PayloadStore.load(id, from: store, snapshot: snapshots[partition])
            else {
                throw .store(
                    StoreError(
                        .corruption,
                        path: stores[partition]?.path ?? "",
                        "the index names a payload that is not there"
                    )
                )
            }
            items.append(Item(state: stored.state, partition: partition))
        }
        let last = found.count > limit ? shown.last?.place : bound
        return Page(items: items, next: last.flatMap(ListRequest.position))
    }
}

/// What is asked for, as bytes. A place is a rank followed by an id: index keys without their terms, in the order of lists.
private struct ListRequest {
    let terms: [[UInt8]]
    /// The first place that belongs to the answer, if there is one.
    let lower: [UInt8]
    /// The first that no longer does; nil: no bound.
    let upper: [UInt8]?

    init(_ filter: PayloadFilter, after start: ListPosition?) {
        var terms: [[UInt8]] = []
        func add(_ field: PayloadFacets.Field, _ text: Text?) {
            if let text { terms.append(PayloadFacets.term(field, text.string.utf8)) }
        }
        add(.inventoryID, filter.inventoryID)
        add(.systemID, filter.systemID)
        add(.failedService, filter.failedService)
        add(.account, filter.account)
        add(.orgID, filter.orgID)
        add(.service, filter.service)
        if let status = filter.status { terms.append(PayloadFacets.term(.status, [status.rawValue])) }
        if let outcome = filter.outcome { terms.append(PayloadFacets.term(.outcome, [outcome.rawValue])) }
        if terms.isEmpty { terms.append(PayloadFacets.term(.all, [])) }
        self.terms = terms

        var lower: [UInt8] = []
        if let until = filter.until {
            PayloadFacets.appendRank(of: until.advanced(byMicroseconds: -1), to: &lower)
        }
        if let start {
            // The least bytes that are greater.
            let afterStart = ListRequest.place(start) + [0]
            if lower.lexicographicallyPrecedes(afterStart) { lower = afterStart }
        }
        self.lower = lower
        var upper: [UInt8]?
        if let since = filter.since {
            var rank: [UInt8] = []
            PayloadFacets.appendRank(of: since.advanced(byMicroseconds: -1), to: &rank)
            upper = rank
        }
        self.upper = upper
    }

    static func place(_ position: ListPosition) -> [UInt8] {
        var place: [UInt8] = []
        PayloadFacets.appendRank(of: position.updatedAt, to: &place)
        position.id.withUTF8 { place.append(contentsOf: $0) }
        return place
    }

    static func position(_ place: [UInt8]) -> ListPosition? {
        guard place.count > PayloadFacets.rankBytes,
            let id = PayloadStore.id(fromKey: place.dropFirst(PayloadFacets.rankBytes))
        else { return nil }
        return ListPosition(updatedAt: place.withUnsafeBytes { PayloadFacets.time(ofRank: $0) }, id: id)
    }

    func contains(_ place: [UInt8]) -> Bool {
        if place.lexicographicallyPrecedes(lower) { return false }
        return upper.map { place.lexicographicallyPrecedes($0) } ?? true
    }
}

/// Reads one store for a request.
private struct ListReader {
    let store: Database
    let snapshot: Snapshot
    let request: ListRequest

    /// The first places that belong to the answer, and, where the steps did not suffice, the place up to which they are known.
    func places(limit: Int, maxSteps: Int) throws(StreamError) -> (places: [[UInt8]], stoppedAt: [UInt8]?) {
        var recent = try recentPlaces()
        let indexed = try withStore { () throws(StoreError) in try indexedPlaces(limit: limit, maxSteps: maxSteps) }
        if recent.isEmpty { return indexed }
        recent += indexed.places
        recent.sort { $0.lexicographicallyPrecedes($1) }
        if let stop = indexed.stoppedAt { recent.removeAll { stop.lexicographicallyPrecedes($0) } }
        // What is cut here is known: it stops nobody.
        return (Array(recent.prefix(limit)), recent.count >= limit ? nil : indexed.stoppedAt)
    }

    private func recentPlaces() throws(StreamError) -> [[UInt8]] {
        var places: [[UInt8]] = []
        for id in try PayloadStore.recentIDs(in: store, snapshot: snapshot) {
            let place: [UInt8]? = try PayloadStore.withStoredValue(of: id, in: store, snapshot) { value in
                guard let value else { return nil }
                return try self.place(of: id, try PayloadStore.split(value).facets)
            }
            if let place { places.append(place) }
        }
        return places
    }

    /// Nil: the payload does not belong to the answer.
    private func place(of id: PayloadID, _ facets: UnsafeRawBufferPointer) throws -> [UInt8]? {
        var matched = 0
        try PayloadFacets.forEachTerm(in: facets) { term in
            if request.terms.contains(where: { $0.elementsEqual(term) }) { matched += 1 }
        }
        if matched < request.terms.count { return nil }
        var place = Array(facets.prefix(PayloadFacets.rankBytes))
        id.withUTF8 { place.append(contentsOf: $0) }
        return request.contains(place) ? place : nil
    }

    private func indexedPlaces(limit: Int, maxSteps: Int) throws(StoreError) -> (places: [[UInt8]], stoppedAt: [UInt8]?)
    {
        var cursors: [TermCursor] = []
        for term in request.terms {
            guard let cursor = try TermCursor(store, snapshot, term: term, request) else { return ([], nil) }
            cursors.append(cursor)
        }
        guard let first = cursors.first else { return ([], nil) }
        var places: [[UInt8]] = []
        var steps = 0
        while true {
            guard let furthest = cursors.map(\.place).max(by: { $0.lexicographicallyPrecedes($1) }) else { break }
            let behind = cursors.filter { $0.place != furthest }
            if behind.isEmpty {
                places.append(furthest)
                if places.count == limit { break }
                steps += 1
                if try !first.next() { break }
                continue
            }
            // Everything before the furthest is known not to match, so also up to where one stands that is behind.
            if steps >= maxSteps { return (places, behind.first?.place) }
            for cursor in behind {
                steps += 1
                if try !cursor.advance(to: furthest) { return (places, nil) }
            }
        }
        return (places, nil)
    }
}

/// Moves along the entries of one term.
private final class TermCursor {
    private let term: [UInt8]
    private var iterator: StoreIterator
    /// Where it stands.
    private(set) var place: [UInt8] = []

    /// At the first entry of the request; nil when there is none.
    init?(_ store: Database, _ snapshot: Snapshot, term: [UInt8], _ request: ListRequest) throws(StoreError) {
        self.term = term
        let end = request.upper.map { term + $0 } ?? KeyRange.prefix(term).upper
        iterator = try store.makeIterator(
            PayloadStore.index,
            range: KeyRange(from: term + request.lower, upTo: end),
            snapshot: snapshot
        )
        if try !arrived(iterator.seekToFirst()) { return nil }
    }

    func next() throws(StoreError) -> Bool { try arrived(iterator.next()) }

    /// To the first entry that is at the place or after it. Often that is the next one, and a step is cheaper than a seek.
    func advance(to place: [UInt8]) throws(StoreError) -> Bool {
        guard try next() else { return false }
        if !self.place.lexicographicallyPrecedes(place) { return true }
        return try arrived(iterator.seek(to: term + place))
    }

    private func arrived(_ isValid: Bool) -> Bool {
        if isValid { place = Array(iterator.key.dropFirst(term.count)) }
        return isValid
    }
}
