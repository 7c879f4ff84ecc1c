/// A payload as it is answered over HTTP, without what depends on who answers (contract, section 6).
public struct PayloadDocument: Sendable, Encodable {
    private let state: PayloadState
    private let rules: PayloadRules
    private let showsStages: Bool

    /// - Parameter showsStages: false: as an element of a list.
    public init(_ state: PayloadState, rules: PayloadRules, showsStages: Bool = true) {
        self.state = state
        self.rules = rules
        self.showsStages = showsStages
    }

    public var outcome: Outcome { state.outcome }
    public var orgID: Text? { state.attributes.orgID?.text }

    /// The history, newest first: the newest `limit` entries of it, or all.
    public static func statuses(of state: PayloadState, limit: Int?, rules: PayloadRules) -> [StatusReport] {
        let places = state.history(rules).places
        return places.prefix(limit ?? places.count).map(state.report)
    }

    private enum CodingKeys: String, CodingKey {
        case status, outcome, revision, reason, stages, account, truncated
        case payloadID = "payload_id"
        case failedStages = "failed_stages"
        case recoveredFailures = "recovered_failures"
        case missingServices = "missing_services"
        case orgID = "org_id"
        case inventoryIDs = "inventory_ids"
        case systemIDs = "system_ids"
        case startedAt = "started_at"
        case updatedAt = "updated_at"
        case durationMilliseconds = "duration_ms"
    }

    public func encode(to encoder: any Encoder) throws {
        let history = state.history(rules)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(state.id.description, forKey: .payloadID)
        try container.encode(state.status(rules).name, forKey: .status)
        try container.encode(state.outcome.name, forKey: .outcome)
        try container.encode(state.revision, forKey: .revision)
        try container.encode(state.reason(rules), forKey: .reason)
        try container.encode(state.failedStages(rules), forKey: .failedStages)
        try container.encode(state.recoveredFailures(rules).map(state.report), forKey: .recoveredFailures)
        try container.encode(state.missingServices(rules).map(\.string), forKey: .missingServices)
        if showsStages { try container.encode(stageReports(history.places), forKey: .stages) }
        try container.encode(state.attributes.account?.text.string, forKey: .account)
        try container.encode(state.attributes.orgID?.text.string, forKey: .orgID)
        try container.encode(state.attributes.inventoryIDs.texts, forKey: .inventoryIDs)
        try container.encode(state.attributes.systemIDs.texts, forKey: .systemIDs)
        try container.encode(state.dates?.lowerBound.description, forKey: .startedAt)
        try container.encode(state.dates?.upperBound.description, forKey: .updatedAt)
        try container.encode(
            state.dates.map { $0.upperBound.milliseconds(since: $0.lowerBound) },
            forKey: .durationMilliseconds
        )
        try container.encode(truncated(isHistoryCut: history.isCut), forKey: .truncated)
    }

    private func stageReports(_ history: [PayloadState.Place]) -> [StageReport] {
        var entryCounts = [Int](repeating: 0, count: state.stages.count)
        for place in history { entryCounts[place.stage] += 1 }
        let handedOver = state.handedOver(rules)
        return state.stages.indices.map { index in
            StageReport(
                stage: state.stages[index],
                current: state.stages[index].current(rules.stageRecovery),
                entries: entryCounts[index],
                isHandedOver: handedOver[index]
            )
        }
    }

    private func truncated(isHistoryCut: Bool) -> [String] {
        var names: [String] = []
        if isHistoryCut { names.append("history") }
        if state.attributes.inventoryIDs.isTruncated { names.append("inventory_ids") }
        if state.attributes.systemIDs.isTruncated { names.append("system_ids") }
        return names
    }
}

private struct StageReport: Encodable {
    let stage: Stage
    let current: StatusEntry
    let entries: Int
    let isHandedOver: Bool

    private enum CodingKeys: String, CodingKey {
        case service, source, status, entries
        case rawStatus = "raw_status"
        case statusMessage = "status_msg"
        case firstDate = "first_date"
        case lastDate = "last_date"
        case durationMilliseconds = "duration_ms"
        case handedOver = "handed_over"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(stage.service.string, forKey: .service)
        try container.encode(stage.source?.string, forKey: .source)
        try container.encode(current.status.name, forKey: .status)
        try container.encode(current.rawStatus.string, forKey: .rawStatus)
        try container.encode(current.message?.string, forKey: .statusMessage)
        try container.encode(stage.firstDate.description, forKey: .firstDate)
        try container.encode(stage.lastDate.description, forKey: .lastDate)
        try container.encode(stage.lastDate.milliseconds(since: stage.firstDate), forKey: .durationMilliseconds)
        try container.encode(entries, forKey: .entries)
        try container.encode(isHandedOver, forKey: .handedOver)
    }
}
