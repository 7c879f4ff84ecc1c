import PayloadModel

/// What a payload can be found by: its place in the order of lists, and its terms. A term is a field with a value, such as a status or
/// a service. Kept in front of the payload's state in the store, so that the index entries of a stored payload, and what it counts
/// for, are known without decoding it.
///
/// Eight bytes of rank (the lesser, the newer), four of the counted terms' length, the counted terms, the other terms. Equal terms have
/// equal bytes, and those of an index key begin with them.
package struct PayloadFacets: Equatable {
    let bytes: [UInt8]

    enum Field: UInt8 {
        // These are counted, too.
        case all = 0
        case status = 1
        case outcome = 2
        case failedService = 3
        // These are not.
        case service = 4
        case account = 5
        case orgID = 6
        case inventoryID = 7
        case systemID = 8
    }

    static let rankBytes = 8
    private static let headBytes = rankBytes + 4
    private static let termHeadBytes = 3

    struct Malformed: Error {}

    package init(_ state: PayloadState, rules: PayloadRules) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256)
        PayloadFacets.appendRank(of: state.updatedAt ?? state.changedAt, to: &bytes)
        bytes.append(contentsOf: [0, 0, 0, 0])
        let status = state.status(rules)
        PayloadFacets.appendTerm(.all, [], to: &bytes)
        PayloadFacets.appendTerm(.status, CollectionOfOne(status.rawValue), to: &bytes)
        PayloadFacets.appendTerm(.outcome, CollectionOfOne(state.outcome.rawValue), to: &bytes)
        if status.isFailing {
            for service in state.failingServices(rules) {
                PayloadFacets.appendTerm(.failedService, service.string, to: &bytes)
            }
        }
        withUnsafeBytes(of: UInt32(bytes.count - PayloadFacets.headBytes).bigEndian) { count in
            for (index, byte) in count.enumerated() { bytes[PayloadFacets.rankBytes + index] = byte }
        }
        state.forEachService { PayloadFacets.appendTerm(.service, $0.string, to: &bytes) }
        let attributes = state.attributes
        if let account = attributes.account {
            PayloadFacets.appendTerm(.account, account.text.string, to: &bytes)
        }
        if let orgID = attributes.orgID { PayloadFacets.appendTerm(.orgID, orgID.text.string, to: &bytes) }
        for id in attributes.inventoryIDs.members {
            PayloadFacets.appendTerm(.inventoryID, id.text.string, to: &bytes)
        }
        for id in attributes.systemIDs.members {
            PayloadFacets.appendTerm(.systemID, id.text.string, to: &bytes)
        }
        self.bytes = bytes
    }

    /// Copies what a store holds.
    init(_ stored: UnsafeRawBufferPointer) throws(Malformed) {
        try PayloadFacets.forEachTerm(in: stored) { _ in }
        bytes = Array(stored)
    }

    var rank: ArraySlice<UInt8> { bytes[..<PayloadFacets.rankBytes] }

    /// The rank as a number that is ordered like its bytes.
    var rankNumber: UInt64 { bytes.withUnsafeBytes { UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)) } }

    /// Gives `body` each of the terms, whose bytes are valid during the call.
    func forEachTerm(_ body: (UnsafeRawBufferPointer) -> Void) {
        bytes.withUnsafeBytes { bytes in
            var start = PayloadFacets.headBytes
            while start < bytes.count {
                let end = start + PayloadFacets.termHeadBytes + Int(bytes[start + 1]) << 8 + Int(bytes[start + 2])
                body(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
                start = end
            }
        }
    }

    /// Whether payloads are counted that have this term.
    static func isCounted(_ term: UnsafeRawBufferPointer) -> Bool {
        term.first.map { $0 <= Field.failedService.rawValue } ?? false
    }

    /// The terms, each with its field's byte first.
    var terms: [ArraySlice<UInt8>] { PayloadFacets.terms(in: bytes[PayloadFacets.headBytes...]) }

    /// Those that are counted.
    var countedTerms: [ArraySlice<UInt8>] { PayloadFacets.terms(in: counted) }

    /// The bytes of the counted terms.
    var counted: ArraySlice<UInt8> {
        let count = bytes.withUnsafeBytes {
            UInt32(bigEndian: $0.loadUnaligned(fromByteOffset: PayloadFacets.rankBytes, as: UInt32.self))
        }
        return bytes[PayloadFacets.headBytes..<min(PayloadFacets.headBytes + Int(count), bytes.count)]
    }

    /// The terms that lie one behind the other in `bytes`, such as `counted`.
    static func terms(in bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        var terms: [ArraySlice<UInt8>] = []
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let end = start + PayloadFacets.termHeadBytes + Int(bytes[start + 1]) << 8 + Int(bytes[start + 2])
            terms.append(bytes[start..<end])
            start = end
        }
        return terms
    }

    // MARK: Bytes

    /// - Parameter body: is given each term; its bytes are valid during the call.
    static func forEachTerm(
        in facets: UnsafeRawBufferPointer,
        _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(Malformed) {
        guard facets.count >= headBytes else { throw Malformed() }
        let counted = UInt32(bigEndian: facets.loadUnaligned(fromByteOffset: rankBytes, as: UInt32.self))
        let countedEnd = headBytes + Int(counted)
        var start = headBytes
        var isCountedWhole = counted == 0
        while start < facets.count {
            guard facets.count - start >= termHeadBytes else { throw Malformed() }
            let end = start + termHeadBytes + Int(facets[start + 1]) << 8 + Int(facets[start + 2])
            guard end <= facets.count else { throw Malformed() }
            body(UnsafeRawBufferPointer(rebasing: facets[start..<end]))
            if end == countedEnd { isCountedWhole = true }
            start = end
        }
        guard isCountedWhole else { throw Malformed() }
    }

    static func term(_ field: Field, _ value: some Collection<UInt8>) -> [UInt8] {
        var term: [UInt8] = []
        appendTerm(field, value, to: &term)
        return term
    }

    /// Nil: not a term.
    static func parts(ofTerm term: [UInt8]) -> (field: Field, value: ArraySlice<UInt8>)? {
        guard term.count >= termHeadBytes, let field = Field(rawValue: term[0]) else { return nil }
        return (field, term[termHeadBytes...])
    }

    /// The field, the length of the value so that no term begins another, and the value, which no rule lets have more than 64 KiB.
    private static func appendTerm(_ field: Field, _ value: some Collection<UInt8>, to bytes: inout [UInt8]) {
        let count = value.count
        bytes.append(field.rawValue)
        bytes.append(UInt8(truncatingIfNeeded: count >> 8))
        bytes.append(UInt8(truncatingIfNeeded: count))
        bytes.append(contentsOf: value)
    }

    private static func appendTerm(_ field: Field, _ text: String, to bytes: inout [UInt8]) {
        var text = text
        // A buffer is appended faster than a view of a string.
        text.withUTF8 { appendTerm(field, $0, to: &bytes) }
    }

    /// Bytes whose order is that of time, the latest first.
    static func appendRank(of time: Timestamp, to bytes: inout [UInt8]) {
        let rank = ~(UInt64(bitPattern: time.microseconds) ^ (1 << 63))
        withUnsafeBytes(of: rank.bigEndian) { bytes.append(contentsOf: $0) }
    }

    /// The time of a rank, which `bytes` begin with.
    static func time(ofRank bytes: UnsafeRawBufferPointer) -> Timestamp {
        let rank = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
        return Timestamp(microseconds: Int64(bitPattern: ~rank ^ (1 << 63)))
    }
}
