import PayloadModel

extension PayloadState {
    /// A payload that ingress has received and puptoo has failed, in that order, judged as `outcome`.
    static func failedUpload(_ id: PayloadID, outcome: Outcome = .failed, orgID: Text? = nil) -> PayloadState {
        let received = StatusEntry(date: .init(microseconds: 1_000_000), status: .received, rawStatus: "received")
        let failed = StatusEntry(
            date: .init(microseconds: 2_500_000),
            status: .failure,
            rawStatus: "error",
            message: "no facts"
        )
        return PayloadState(
            id: id,
            stages: [("ingress", received), ("puptoo", failed)].compactMap(Stage.init),
            attributes: Attributes(
                account: LatestText(text: "540155", date: failed.date),
                orgID: orgID.map { LatestText(text: $0, date: failed.date) }
            ),
            trimmedThrough: nil,
            outcome: outcome,
            revision: outcome == .open ? 0 : 1,
            changedAt: failed.date
        )
    }
}

extension Stage {
    fileprivate init?(service: Text, entry: StatusEntry) {
        self.init(service: service, source: nil, entries: [entry], firstDate: entry.date, lastDate: entry.date)
    }
}
