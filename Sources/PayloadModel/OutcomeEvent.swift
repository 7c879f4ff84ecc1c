/// A payload reached an outcome (contract, section 4).
public struct OutcomeEvent: Hashable, Sendable {
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
        failedStages = state.failedStages(rules)
        reason = state.reason(failedStages, rules)
        recoveredFailures = state.recoveredFailures(rules).map(state.report)
        missingServices = state.missingServices(rules).map(\.string)
        services = state.services
        let dates = state.dates
        startedAt = dates?.lowerBound ?? emittedAt
        endedAt = dates?.upperBound ?? emittedAt
        self.emittedAt = emittedAt
    }

    /// Unique per payload and revision: a repeated event has the same.
    public var id: String { payloadID.description + ":" + revision.description }

    /// `payload-completed`, `payload-failed` or `payload-stalled`.
    public var type: String { "payload-" + outcome.name }

    /// The event as it is told, its members in the order of their names.
    public var json: [UInt8] {
        var writer = JSONWriter(capacity: 1_024)
        writer.object { writer in
            writer.name("account")
            writer.string(account)
            writer.name("duration_ms")
            writer.number(endedAt.milliseconds(since: startedAt))
            writer.name("emitted_at")
            writer.string(emittedAt.description)
            writer.name("ended_at")
            writer.string(endedAt.description)
            writer.name("failed_stages")
            writer.array(failedStages) { $1.write(to: &$0) }
            writer.name("id")
            writer.string(id)
            writer.name("inventory_ids")
            writer.strings(inventoryIDs)
            writer.name("missing_services")
            writer.strings(missingServices)
            writer.name("org_id")
            writer.string(orgID)
            writer.name("payload_id")
            writer.string(payloadID.description)
            writer.name("previous_outcome")
            writer.string(previousOutcome.name)
            writer.name("reason")
            if let reason { reason.write(to: &writer) } else { writer.null() }
            writer.name("recovered_failures")
            writer.array(recoveredFailures) { $1.write(to: &$0) }
            writer.name("revision")
            writer.number(revision)
            writer.name("services")
            writer.strings(services)
            writer.name("started_at")
            writer.string(startedAt.description)
            writer.name("status")
            writer.string(status.name)
            writer.name("system_ids")
            writer.strings(systemIDs)
            writer.name("type")
            writer.string(type)
        }
        return writer.bytes
    }
}
