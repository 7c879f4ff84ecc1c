// The roll-up of a payload's stages to its status, and the reasons for it (contract, section 3).

extension PayloadState {
    /// Calls `body` with each stage's position, with where it stands, and with whether it was handed over: whether it stands at received while
    /// another stage of the same service stands at a terminal status with the same or a later date, because the service took the
    /// payload in under one source and finished it under another.
    ///
    /// Every message asks for this, so it makes no arrays.
    private func forEachStanding(_ rules: PayloadRules, _ body: (Int, Stage.Standing, _ isHandedOver: Bool) -> Void) {
        // One service may hold all stages, so each service is looked at once and its stages not in pairs.
        var end = 0
        var finished: Timestamp?
        stages.withUnsafeBufferPointer { stages in
            for index in stages.indices {
                // Of a stage's own method a copy of the stage would be made.
                let isLatest = rules.stageRecovery == .latest
                let standing = isLatest ? stages[index].latest : stages[index].standing(rules.stageRecovery)
                guard standing.status == .received else {
                    body(index, standing, false)
                    continue
                }
                if index >= end { (end, finished) = finish(ofServiceAt: index, rules) }
                body(index, standing, finished.map { standing.date <= $0 } ?? false)
            }
        }
    }

    /// Where the stages of a stage's service end, and the latest date at which one of them stands at a terminal status.
    private func finish(ofServiceAt index: Int, _ rules: PayloadRules) -> (end: Int, finished: Timestamp?) {
        // Stages are sorted by service. Most services have one stage, which nothing was handed over from.
        let service = stages[index].service
        var start = index
        while start > 0 && stages[start - 1].service == service { start -= 1 }
        var end = index + 1
        while end < stages.count && stages[end].service == service { end += 1 }
        var finished: Timestamp?
        for other in start..<end where other != index {
            let standing = stages[other].standing(rules.stageRecovery)
            if standing.status.isTerminal { finished = max(finished ?? standing.date, standing.date) }
        }
        return (end, finished)
    }

    private func isIgnored(_ stage: Int, _ rules: PayloadRules) -> Bool {
        !rules.ignoredServices.isEmpty && rules.ignoredServices.contains(stages[stage].service)
    }

    func handedOver(_ rules: PayloadRules) -> [Bool] {
        var flags: [Bool] = []
        flags.reserveCapacity(stages.count)
        forEachStanding(rules) { flags.append($2) }
        return flags
    }

    /// Indices of the stages that decide the status.
    func countingStages(_ rules: PayloadRules) -> [Int] {
        var indices: [Int] = []
        forEachStanding(rules) { index, _, isHandedOver in
            if !isHandedOver && !isIgnored(index, rules) { indices.append(index) }
        }
        return indices
    }

    /// The status of the payload; nil when none of its stages counts, which reads as received.
    func rolledUpStatus(_ rules: PayloadRules) -> Status? {
        var least = Status.failure
        var greatest = Status.received
        var counts = false
        forEachStanding(rules) { index, standing, isHandedOver in
            if isHandedOver || isIgnored(index, rules) { return }
            least = min(least, standing.status)
            greatest = max(greatest, standing.status)
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
    ///
    /// - Parameter failedStages: as `failedStages(_:)` has them.
    func reason(_ failedStages: [StatusReport], _ rules: PayloadRules) -> StatusReport? {
        switch outcome {
        case .failed: return failedStages.first
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
        guard let first = stages.map(\.firstDate).min(), let last = updatedAt else { return nil }
        return first...last
    }

    /// The greatest entry date over all that ever came. Nil before the first entry.
    public var updatedAt: Timestamp? {
        stages.withUnsafeBufferPointer { stages in
            stages.indices.reduce(nil) { max($0 ?? stages[$1].lastDate, stages[$1].lastDate) }
        }
    }

    func report(_ place: Place) -> StatusReport {
        let stage = stages[place.stage]
        return StatusReport(service: stage.service, source: stage.source, entry: stage.entries[place.entry])
    }
}
