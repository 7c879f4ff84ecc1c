// When a payload is completed, failed or stalled, and when its timers are due (contract, section 3).

extension PayloadState {
    /// What a change of the payload does to its timers and its outcome.
    public enum Change: Hashable, Sendable {
        /// A new entry: restarts the timers and reopens a stalled payload.
        case entry
        /// Only attributes: restarts the timers and reopens nothing.
        case attributes
        /// Nothing but time has passed.
        case time
    }

    /// Judges the outcome after a change, or when a timer is due.
    ///
    /// - Returns: the event to tell, when the outcome changed to completed, failed or stalled.
    public mutating func judge(after change: Change, at now: Timestamp, rules: PayloadRules) -> OutcomeEvent? {
        if change != .time { changedAt = now }
        let previous = outcome
        outcome = judged(after: change, at: now, rules)
        guard outcome != previous, outcome != .open else { return nil }
        revision += 1
        return OutcomeEvent(self, previous: previous, emittedAt: now, rules: rules)
    }

    private func judged(after change: Change, at now: Timestamp, _ rules: PayloadRules) -> Outcome {
        guard let status = rolledUpStatus(rules) else { return .open }
        if status.isFailing { return .failed }
        let idle = now.microseconds - changedAt.microseconds
        if status == .success {
            if outcome == .completed { return .completed }
            if idle >= rules.completionSettle && missingServices(rules).isEmpty { return .completed }
        }
        if let stallAfter = stallAfter(rules), idle >= stallAfter { return .stalled }
        return outcome == .stalled && change != .entry ? .stalled : .open
    }

    /// When the outcome may next change by time alone, or the payload expires.
    public func nextTimer(_ rules: PayloadRules) -> Timestamp {
        let status = rolledUpStatus(rules)
        // It was judged by other rules: at once.
        if isContradicted(by: status) { return changedAt }
        var delay = rules.retention
        if outcome == .open || outcome == .stalled, let status, !status.isFailing {
            if status == .success && missingServices(rules).isEmpty { delay = min(delay, rules.completionSettle) }
            if outcome == .open, let stallAfter = stallAfter(rules) { delay = min(delay, stallAfter) }
        }
        return changedAt.advanced(byMicroseconds: delay)
    }

    /// Whether no judgement comes to this outcome with such a status.
    private func isContradicted(by status: Status?) -> Bool {
        let isFailing = status?.isFailing ?? false
        return switch outcome {
        case .open: isFailing
        case .completed: status != .success
        case .failed: !isFailing
        case .stalled: isFailing || status == nil
        }
    }

    /// How long the payload may be silent before it counts as stalled: the least of the services that it waits in, which are those of its
    /// counting stages at received or processing. Nil: it does not stall.
    func stallAfter(_ rules: PayloadRules) -> Int64? {
        var least = rules.stallAfter
        if !rules.stallAfterByService.isEmpty {
            let waiting = countingStages(rules).filter { !stages[$0].standing(rules.stageRecovery).status.isTerminal }
            let times = waiting.map { rules.stallAfterByService[stages[$0].service] ?? rules.stallAfter }
            // It waits in no service where all are done: then for one that is missing, or to settle.
            if !times.isEmpty { least = times.filter { $0 > 0 }.min() ?? 0 }
        }
        return least > 0 ? least : nil
    }

    /// Whether the payload has been kept long enough.
    public func isExpired(at now: Timestamp, _ rules: PayloadRules) -> Bool {
        now.microseconds - changedAt.microseconds >= rules.retention
    }
}
