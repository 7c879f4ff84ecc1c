import PayloadModel

/// Where the service reads how payloads fare as a whole. Called as `PayloadReader` is.
public protocol SummaryReader: Sendable {
    /// Of the partitions of this instance.
    func summary() async throws(ReadFailure) -> SummaryPart
}

/// What one instance counts, as instances tell each other.
public struct SummaryPart: Sendable, Codable, Equatable {
    /// The payloads of a partition.
    public struct Partition: Sendable, Codable, Equatable {
        public var partition: Int32
        public var payloads: SummaryDocument.Payloads

        public init(partition: Int32, payloads: SummaryDocument.Payloads) {
            self.partition = partition
            self.payloads = payloads
        }
    }

    /// Of the partitions that run here.
    public var partitions: [Partition]
    /// The other partitions; ascending.
    public var missing: [Int32]
    public var lastHour: SummaryDocument.Activity
    public var sinceStart: SummaryDocument.Activity
    /// When the process began to count, RFC 3339.
    public var startedAt: String

    public init(
        partitions: [Partition],
        missing: [Int32],
        lastHour: SummaryDocument.Activity,
        sinceStart: SummaryDocument.Activity,
        startedAt: Timestamp
    ) {
        self.partitions = partitions
        self.missing = missing
        self.lastHour = lastHour
        self.sinceStart = sinceStart
        self.startedAt = startedAt.description
    }

    /// How many payloads stand at each outcome.
    var outcomes: [String: Int] {
        partitions.reduce(into: [:]) { sum, part in
            sum.merge(part.payloads.outcomes, uniquingKeysWith: SummaryDocument.sum)
        }
    }
}

/// The answer to `GET /v1/summary`. Counts are by the names that they are told by.
public struct SummaryDocument: Sendable, Codable, Equatable {
    /// Payloads that are retained.
    public struct Payloads: Sendable, Codable, Equatable {
        public var total: Int
        public var outcomes: [String: Int]
        public var statuses: [String: Int]
        public var failingServices: [String: Int]

        /// Every outcome and status is there, with 0 where there is none: a reader need not know them.
        public init(
            total: Int = 0,
            outcomes: [Outcome: Int] = [:],
            statuses: [Status: Int] = [:],
            failingServices: [Text: Int] = [:]
        ) {
            self.total = total
            self.outcomes = SummaryDocument.named(outcomes, Outcome.allCases, \.name)
            self.statuses = SummaryDocument.named(statuses, Status.allCases, \.name)
            self.failingServices = SummaryDocument.named(failingServices)
        }

        private enum CodingKeys: String, CodingKey {
            case total, outcomes, statuses
            case failingServices = "failing_services"
        }

        static func += (sum: inout Payloads, other: Payloads) {
            sum.total = SummaryDocument.sum(sum.total, other.total)
            sum.outcomes.merge(other.outcomes, uniquingKeysWith: SummaryDocument.sum)
            sum.statuses.merge(other.statuses, uniquingKeysWith: SummaryDocument.sum)
            sum.failingServices.merge(other.failingServices, uniquingKeysWith: SummaryDocument.sum)
        }
    }

    /// Events and dead letters that were told.
    public struct Activity: Sendable, Codable, Equatable {
        public var outcomes: [String: Int]
        public var failingServices: [String: Int]
        public var deadLetters: [String: Int]

        public init(
            outcomes: [Outcome: Int] = [:],
            failingServices: [Text: Int] = [:],
            deadLetters: [Refusal.Reason: Int] = [:]
        ) {
            // Nobody is told that a payload is open.
            self.outcomes = SummaryDocument.named(outcomes, Outcome.allCases.filter { $0 != .open }, \.name)
            self.failingServices = SummaryDocument.named(failingServices)
            self.deadLetters = Dictionary(uniqueKeysWithValues: deadLetters.map { ($0.key.rawValue, $0.value) })
        }

        private enum CodingKeys: String, CodingKey {
            case outcomes
            case failingServices = "failing_services"
            case deadLetters = "dead_letters"
        }

        static func += (sum: inout Activity, other: Activity) {
            sum.outcomes.merge(other.outcomes, uniquingKeysWith: SummaryDocument.sum)
            sum.failingServices.merge(other.failingServices, uniquingKeysWith: SummaryDocument.sum)
            sum.deadLetters.merge(other.deadLetters, uniquingKeysWith: SummaryDocument.sum)
        }
    }

    /// Never traps: what another instance says may be any number.
    fileprivate static func sum(_ a: Int, _ b: Int) -> Int {
        let (sum, overflows) = a.addingReportingOverflow(b)
        return overflows ? (b < 0 ? .min : .max) : sum
    }

    public var payloads: Payloads
    public var lastHour: Activity
    public var sinceStart: Activity
    /// Since when all instances that are counted have been counting, RFC 3339.
    public var startedAt: String
    /// The partitions that are not counted, ascending; nil: the client did not allow for any.
    public var missingPartitions: [Int32]?

    private enum CodingKeys: String, CodingKey {
        case payloads
        case lastHour = "last_hour"
        case sinceStart = "since_start"
        case startedAt = "started_at"
        case missingPartitions = "missing_partitions"
    }

    /// - Parameters:
    ///   - parts: by the instance that answered; one at least.
    ///   - owners: who is believed where several have a partition, which happens while it moves; else the first by name.
    init(_ parts: [TrackerInstance: SummaryPart], owners: [Int32: TrackerInstance]) {
        let byName = parts.sorted { $0.key.name < $1.key.name }
        payloads = Payloads()
        lastHour = Activity()
        sinceStart = Activity()
        var counted: Set<Int32> = []
        // Owners first: whoever else has a partition of theirs comes too late.
        let claims = byName.flatMap { instance, part in part.partitions.map { (instance: instance, claim: $0) } }
        let isOwners = { (instance: TrackerInstance, partition: Int32) in owners[partition] == instance }
        for claim in claims.filter({ isOwners($0.instance, $0.claim.partition) })
            + claims.filter({ !isOwners($0.instance, $0.claim.partition) })
        where counted.insert(claim.claim.partition).inserted {
            payloads += claim.claim.payloads
        }
        for part in parts.values {
            lastHour += part.lastHour
            sinceStart += part.sinceStart
        }
        // All are written alike, so that their order is that of time.
        startedAt = parts.values.map(\.startedAt).max() ?? ""
        missingPartitions = Set(parts.values.flatMap(\.missing)).subtracting(counted).sorted()
    }

    /// What to tell a client that wants all partitions; nil: they are counted.
    var incompleteness: Problem? {
        guard let missingPartitions, !missingPartitions.isEmpty else { return nil }
        let list = missingPartitions.map { "\($0)" }.joined(separator: ", ")
        return .unavailable(
            "partition \(list) cannot be counted now; partial=allowed gives the counts without it",
            retryAfterSeconds: 2
        )
    }

    fileprivate static func named<Key: Hashable>(
        _ counts: [Key: Int],
        _ keys: [Key],
        _ name: (Key) -> String
    ) -> [String: Int] {
        Dictionary(uniqueKeysWithValues: keys.map { (name($0), counts[$0] ?? 0) })
    }

    /// Texts that differ in their bytes alone may be one key in JSON's eyes; then their counts are one, too.
    fileprivate static func named(_ counts: [Text: Int]) -> [String: Int] {
        Dictionary(counts.map { ($0.key.string, $0.value) }, uniquingKeysWith: sum)
    }
}
