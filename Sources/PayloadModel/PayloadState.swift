/// What is known of one payload.
///
/// Stages, attributes and history are a function of the *set* of accepted messages: `fold` is commutative, associative and
/// idempotent, so that any order of arrival, any duplicate and any replay give the same (contract, section 3; a join-semilattice as in
/// Shapiro et al., "Conflict-free Replicated Data Types", 2011). Outcome, revision and `changedAt` also depend on when things came.
public struct PayloadState: Hashable, Sendable {
    public let id: PayloadID
    /// Sorted by (service, source).
    public internal(set) var stages: [Stage] = []
    public internal(set) var attributes = Attributes()
    /// The greatest date of the entries that were dropped for good, if any were: see `PayloadState+History.swift`.
    public internal(set) var trimmedThrough: Timestamp?

    public internal(set) var outcome = Outcome.open
    /// The number of outcome events told so far.
    public internal(set) var revision: UInt64 = 0
    /// Wall-clock time of the last change, which timers count from.
    public internal(set) var changedAt = Timestamp(microseconds: 0)

    /// Room is made for so many at once: growing again and again would move them.
    package static let usualStages = 8

    public init(id: PayloadID) { self.id = id }

    /// Of all stages, sorted.
    var services: [String] {
        var services: [String] = []
        forEachService { services.append($0.string) }
        return services
    }

    /// Gives `body` each service once, in order. In place: of stages that are handed out one by one copies would be made.
    public func forEachService(_ body: (Text) -> Void) {
        stages.withUnsafeBufferPointer { stages in
            for index in stages.indices where index == 0 || stages[index].service != stages[index - 1].service {
                body(stages[index].service)
            }
        }
    }

    /// A state as it was stored. `stages` sorted by (service, source).
    public init(
        id: PayloadID,
        stages: [Stage],
        attributes: Attributes,
        trimmedThrough: Timestamp?,
        outcome: Outcome,
        revision: UInt64,
        changedAt: Timestamp
    ) {
        self.id = id
        self.stages = stages
        self.attributes = attributes
        self.trimmedThrough = trimmedThrough
        self.outcome = outcome
        self.revision = revision
        self.changedAt = changedAt
    }

    public enum FoldResult: Hashable, Sendable {
        case unchanged
        /// The entry was known; account, org, inventory or system ids are new.
        case attributesChanged
        case entryAdded
    }

    /// Takes one message in. Throws, and changes nothing, when the message would open one stage too many.
    public mutating func fold(_ message: StatusMessage, rules: PayloadRules) throws(Refusal) -> FoldResult {
        let (index, isKnownStage) = place(ofStage: message.service, message.source)
        var entryAdded = true
        if isKnownStage {
            entryAdded = insert(message.entry, intoStageAt: index, rules)
        } else {
            if stages.count >= PayloadRules.maxStages {
                throw Refusal(
                    .tooManyStages,
                    "payload \(id) has \(stages.count) stages (service and source) already, the most that are kept of one",
                    service: message.service
                )
            }
            if stages.isEmpty { stages.reserveCapacity(PayloadState.usualStages) }
            stages.insert(Stage(service: message.service, source: message.source, entry: message.entry), at: index)
            trimHistory(rules)
        }
        let attributesChanged = attributes.merge(message)
        return entryAdded ? .entryAdded : attributesChanged ? .attributesChanged : .unchanged
    }

    package func stage(_ service: Text, _ source: Text?) -> Stage? {
        let (index, isKnown) = place(ofStage: service, source)
        return isKnown ? stages[index] : nil
    }

    /// Where a stage is, or where it belongs.
    private func place(ofStage service: Text, _ source: Text?) -> (index: Int, isKnown: Bool) {
        stages.withUnsafeBufferPointer { stages in
            let index = stages.indices.partitioningIndex {
                let order = stages[$0].service.compared(to: service)
                return order == 0 ? !Text?.precedes(stages[$0].source, source) : order > 0
            }
            let isKnown = index < stages.count && stages[index].service == service && stages[index].source == source
            return (index, isKnown)
        }
    }

    /// Whether the entry is new.
    private mutating func insert(_ entry: StatusEntry, intoStageAt index: Int, _ rules: PayloadRules) -> Bool {
        if let trimmedThrough, entry.date <= trimmedThrough {
            // It may be one of those that were dropped. What it cannot change in what is told, it does not change at all.
            var changed = self
            guard changed.stages[index].insert(entry), changed.tellsOther(than: self, rules) else { return false }
            self = changed
            // An entry that was taken for its date alone must not stay: a backfill may come newest first.
            trimHistory(rules)
            return true
        }
        guard stages[index].insert(entry) else { return false }
        trimHistory(rules)
        return true
    }
}

public enum Outcome: UInt8, Hashable, Sendable, CaseIterable {
    case open = 0
    case completed = 1
    case failed = 2
    case stalled = 3

    public var name: String {
        switch self {
        case .open: "open"
        case .completed: "completed"
        case .failed: "failed"
        case .stalled: "stalled"
        }
    }
}
