// The roll-up of a payload's stages to its status, and the reasons for it (contract, section 3).

extension PayloadState {
    /// For each stage whether it stands at received while another stage of the same service stands at a terminal status with
    /// the same or a later date: the service took the payload in under one source and finished it under another.
    func handedOver(_ rules: PayloadRules) -> [Bool] {
        var flags = [Bool](repeating: false, count: stages.count)
        var start = 0
        while start < stages.count {
            // Stages are sorted by service. One service may hold all of them, so each is looked at twice and not in pairs.
            var end = start
            var finished: Timestamp?
            repeat {
                let current = stages[end].current(rules.stageRecovery)
                if current.status.isTerminal { finished = max(finished ?? current.date, current.date) }
                end += 1
            } while end < stages.count && stages[end].service == stages[start].service
            // Most services have one stage, which nothing was handed over from.
            if let finished, end > start + 1 {
                for index in start..<end {
                    let current = stages[index].current(rules.stageRecovery)
                    flags[index] = current.status == .received && current.date <= finished
                }
            }
            start = end
        }
        return flags
    }

    /// Indices of the stages that decide the status.
    func countingStages(_ rules: PayloadRules) -> [Int] {
        let handedOver = handedOver(rules)
        return stages.indices.filter { !rules.ignoredServices.contains(stages[$0].service) && !handedOver[$0] }
    }

    /// The status of the payload; nil when none of its stages counts, which reads as received.
    func rolledUpStatus(_ rules: PayloadRules) -> Status? {
        var least = Status.failure
        var greatest = Status.received
        var counts = false
        let handedOver = handedOver(rules)
        for index in stages.indices where !rules.ignoredServices.contains(stages[index].service) {
            if handedOver[index] { continue }
            let status = stages[index].current(rules.stageRecovery).status
            least = min(least, status)
            greatest = max(greatest, status)
            counts = true
        }
        guard counts else { return nil }
        if greatest.isFailing || greatest == least { return greatest }
        return .processing
    }

    public func status(_ rules: PayloadRules) -> Status { rolledUpStatus(rules) ?? .received }

    /// Services with a stage that counts and stands at failure or invalid, sorted.
    public func failingServices(_ rules: PayloadRules) -> [Text] {
        var services: [Text] = []
        for index in countingStages(rules) where stages[index].current(rules.stageRecovery).status.isFailing {
            if services.last != stages[index].service { services.append(stages[index].service) }
        }
        return services
    }

    /// The telling entry of each failing stage, by (date, service, source).
    func failedStages(_ rules: PayloadRules) -> [StatusReport] {
        var places: [Place] = []
        for index in countingStages(rules) {
            if let entry = stages[index].tellingIndex(rules.stageRecovery) {
                places.append(Place(stage: index, entry: entry))
            }
        }
        places.sort { a, b in
            let (dateA, dateB) = (stages[a.stage].entries[a.entry].date, stages[b.stage].entries[b.entry].date)
            return dateA == dateB ? a.stage < b.stage : dateA < dateB
        }
        return places.map(report)
    }

    /// The first thing that went wrong; for a stalled payload, what it waits for.
    func reason(_ rules: PayloadRules) -> StatusReport? {
        switch outcome {
        case .failed: return failedStages(rules).first
        case .stalled:
            let waiting = countingStages(rules).filter { !stages[$0].current(rules.stageRecovery).status.isTerminal }
            let first = waiting.min { a, b in
                let (dateA, dateB) = (
                    stages[a].current(rules.stageRecovery).date, stages[b].current(rules.stageRecovery).date
                )
                return dateA == dateB ? a < b : dateA < dateB
            }
            return first.map { report(Place(stage: $0, entry: stages[$0].currentIndex(rules.stageRecovery))) }
        case .open, .completed: return nil
        }
    }

    /// Required services that have no stage yet, sorted.
    func missingServices(_ rules: PayloadRules) -> [Text] {
        if rules.requiredServices.isEmpty { return [] }
        return rules.requiredServices.subtracting(stages.map(\.service)).sorted()
    }

    /// The least and the greatest entry date over all that ever came. Nil before the first entry.
    var dates: ClosedRange<Timestamp>? {
        guard let first = stages.map(\.firstDate).min(), let last = stages.map(\.lastDate).max() else { return nil }
        return first...last
    }

    /// The greatest entry date over all that ever came. Nil before the first entry.
    public var updatedAt: Timestamp? { stages.map(\.lastDate).max() }

    func report(_ place: Place) -> StatusReport {
        let stage = stages[place.stage]
        return StatusReport(service: stage.service, source: stage.source, entry: stage.entries[place.entry])
    }
}
