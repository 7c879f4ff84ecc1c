/// A payload reached an outcome (contract, section 4).
public struct OutcomeEvent: Hashable, Sendable, Encodable {
    public let payloadID: PayloadID
    public let revision: UInt64
    public let outcome: Outcome
    public let previousOutcome: Outcome
    public let status: Status
    public let account: String?
    public let orgID: String?
    public let inventoryIDs: [String]
    public let systemIDs: [String]
    public let reason: StatusReport?
    public let failedStages: [StatusReport]
    public let recoveredFailures: [StatusReport]
    public let missingServices: [String]
    public let services: [String]
    public let startedAt: Timestamp
    public let endedAt: Timestamp
    public let emittedAt: Timestamp

    init(_ state: PayloadState, previous: Outcome, emittedAt: Timestamp, rules: PayloadRules) {
        payloadID = state.id
        revision = state.revision
        outcome = state.outcome
        previousOutcome = previous
        status = state.status(rules)
        account = state.attributes.account?.text.string
        orgID = state.attributes.orgID?.text.string
        inventoryIDs = state.attributes.inventoryIDs.texts
        systemIDs = state.attributes.systemIDs.texts
        reason = state.reason(rules)
        failedStages = state.failedStages(rules)
        recoveredFailures = state.recoveredFailures(rules).map(state.report)
        missingServices = state.missingServices(rules).map(\.string)
        services = Set(state.stages.map(\.service)).sorted().map(\.string)
        startedAt = state.dates?.lowerBound ?? emittedAt
        endedAt = state.dates?.upperBound ?? emittedAt
        self.emittedAt = emittedAt
    }

    /// Unique per payload and revision: a repeated event has the same.
    public var id: String { "\(payloadID):\(revision)" }

    /// `payload-completed`, `payload-failed` or `payload-stalled`.
    public var type: String { "payload-\(outcome.name)" }

    private enum CodingKeys: String, CodingKey {
        case id, type, revision, status, account, reason, services
        case payloadID = "payload_id"
        case previousOutcome = "previous_outcome"
        case orgID = "org_id"
        case inventoryIDs = "inventory_ids"
        case systemIDs = "system_ids"
        case failedStages = "failed_stages"
        case recoveredFailures = "recovered_failures"
        case missingServices = "missing_services"
        case startedAt = "started_at"
        case endedAt = "ended_at"
        case durationMilliseconds = "duration_ms"
        case emittedAt = "emitted_at"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(type, forKey: .type)
        try container.encode(revision, forKey: .revision)
        try container.encode(payloadID.description, forKey: .payloadID)
        try container.encode(status.name, forKey: .status)
        try container.encode(previousOutcome.name, forKey: .previousOutcome)
        try container.encode(account, forKey: .account)
        try container.encode(orgID, forKey: .orgID)
        try container.encode(inventoryIDs, forKey: .inventoryIDs)
        try container.encode(systemIDs, forKey: .systemIDs)
        try container.encode(reason, forKey: .reason)
        try container.encode(failedStages, forKey: .failedStages)
        try container.encode(recoveredFailures, forKey: .recoveredFailures)
        try container.encode(missingServices, forKey: .missingServices)
        try container.encode(services, forKey: .services)
        try container.encode(startedAt.description, forKey: .startedAt)
        try container.encode(endedAt.description, forKey: .endedAt)
        try container.encode(endedAt.milliseconds(since: startedAt), forKey: .durationMilliseconds)
        try container.encode(emittedAt.description, forKey: .emittedAt)
    }
}
