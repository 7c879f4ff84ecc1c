/// A payload as it is answered over HTTP, without what depends on who answers (contract, section 6).
public struct PayloadDocument: Sendable {
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

    /// Who answers with a payload: members of the same object.
    public struct Source: Sendable {
        public var partition: Int32
        /// The URL of the instance whose store was read.
        public var servedBy: String
        /// Records of the changelog that the store lacked, at most; nil: nobody asked.
        public var stalenessRecords: Int64?

        public init(partition: Int32, servedBy: String, stalenessRecords: Int64?) {
            self.partition = partition
            self.servedBy = servedBy
            self.stalenessRecords = stalenessRecords
        }
    }

    /// One object, its members in the order of their names.
    ///
    /// - Parameter source: nil: the payload's own members alone.
    public func write(to writer: inout JSONWriter, source: Source?) {
        let dates = state.dates
        let history = state.historyCounts(rules)
        let failedStages = state.failedStages(rules)
        writer.object { writer in
            writer.name("account")
            writer.string(state.attributes.account?.text.string)
            writer.name("duration_ms")
            if let dates {
                writer.number(dates.upperBound.milliseconds(since: dates.lowerBound))
            } else {
                writer.null()
            }
            writer.name("failed_stages")
            writer.array(failedStages) { $1.write(to: &$0) }
            writer.name("inventory_ids")
            writer.strings(state.attributes.inventoryIDs.texts)
            writer.name("missing_services")
            writer.strings(state.missingServices(rules).map(\.string))
            writer.name("org_id")
            writer.string(state.attributes.orgID?.text.string)
            writer.name("outcome")
            writer.string(state.outcome.name)
            if let source {
                writer.name("partition")
                writer.number(source.partition)
            }
            writer.name("payload_id")
            writer.string(state.id.description)
            writer.name("reason")
            if let reason = state.reason(failedStages, rules) { reason.write(to: &writer) } else { writer.null() }
            writer.name("recovered_failures")
            writer.array(state.recoveredFailures(rules).map(state.report)) { $1.write(to: &$0) }
            writer.name("revision")
            writer.number(state.revision)
            if let source {
                writer.name("served_by")
                writer.string(source.servedBy)
            }
            if showsStages {
                writer.name("stages")
                writer.array(stageReports(history.ofStages)) { $1.write(to: &$0) }
            }
            if let stalenessRecords = source?.stalenessRecords {
                writer.name("staleness_records")
                writer.number(stalenessRecords)
            }
            writer.name("started_at")
            writer.string(dates?.lowerBound.description)
            writer.name("status")
            writer.string(state.status(rules).name)
            writer.name("system_ids")
            writer.strings(state.attributes.systemIDs.texts)
            writer.name("truncated")
            writer.strings(truncated(isHistoryCut: history.isCut))
            writer.name("updated_at")
            writer.string(dates?.upperBound.description)
        }
    }

    private func stageReports(_ entryCounts: [Int]) -> [StageReport] {
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

private struct StageReport {
    let stage: Stage
    let current: StatusEntry
    let entries: Int
    let isHandedOver: Bool

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.name("duration_ms")
            writer.number(stage.lastDate.milliseconds(since: stage.firstDate))
            writer.name("entries")
            writer.number(entries)
            writer.name("first_date")
            writer.string(stage.firstDate.description)
            writer.name("handed_over")
            writer.bool(isHandedOver)
            writer.name("last_date")
            writer.string(stage.lastDate.description)
            writer.name("raw_status")
            writer.string(current.rawStatus.string)
            writer.name("service")
            writer.string(stage.service.string)
            writer.name("source")
            writer.string(stage.source?.string)
            writer.name("status")
            writer.string(current.status.name)
            writer.name("status_msg")
            writer.string(current.message?.string)
        }
    }
}
