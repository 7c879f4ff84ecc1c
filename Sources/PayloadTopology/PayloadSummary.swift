import PayloadModel
import RocksStore
import StreamRuntime

/// How many payloads stores hold, as they keep count with each commit: reading it costs the same however many they are.
public struct PayloadSummary: Sendable {
    public var payloads = 0
    public var outcomes: [Outcome: Int] = [:]
    public var statuses: [Status: Int] = [:]
    /// A payload counts for each service that fails it.
    public var failingServices: [Text: Int] = [:]

    /// Thread-safe; reads from disk.
    public init(of stores: some Sequence<Database>) throws(StreamError) {
        for store in stores {
            for (term, count) in try PayloadStore.counts(in: store) { add(Int(clamping: count), term) }
        }
    }

    private mutating func add(_ count: Int, _ term: [UInt8]) {
        guard let (field, value) = PayloadFacets.parts(ofTerm: term) else { return }
        switch field {
        case .all: payloads += count
        case .outcome:
            if let outcome = value.first.flatMap(Outcome.init(rawValue:)) { outcomes[outcome, default: 0] += count }
        case .status:
            if let status = value.first.flatMap(Status.init(rawValue:)) { statuses[status, default: 0] += count }
        case .failedService: failingServices[Text(String(decoding: value, as: UTF8.self)), default: 0] += count
        case .service, .account, .orgID, .inventoryID, .systemID: break
        }
    }
}
