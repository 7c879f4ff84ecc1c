import Foundation

/// Asks all instances for what they count, at once, and adds it up.
struct SummaryGatherer {
    let peers: Peers

    private static let patience = Duration.seconds(5)

    /// - Parameters:
    ///   - isPartial: whether counts without some partitions are better than none.
    ///   - own: what this instance counts.
    func summary(isPartial: Bool, own: () async throws(Problem) -> SummaryPart) async throws(Problem) -> SummaryDocument
    {
        let map = await peers.knownMap
        let summary = try await merged(map, own)
        guard let problem = summary.incompleteness, !isPartial else { return summary }
        // A partition may have moved to where nobody looked.
        let newer = await peers.directory.refreshed(after: map.version, isPatient: true)
        if newer.version == map.version { throw problem }
        let again = try await merged(newer, own)
        if let problem = again.incompleteness { throw problem }
        return again
    }

    private func merged(
        _ map: InstanceMap,
        _ own: () async throws(Problem) -> SummaryPart
    ) async throws(Problem) -> SummaryDocument {
        let this = peers.directory.own ?? TrackerInstance(name: "", url: nil)
        let others = map.instances.filter { $0 != this }
        async let asked = peers.gather(
            from: others,
            "/v1/summary?local=true",
            patience: SummaryGatherer.patience
        ) { try? JSONDecoder().decode(SummaryPart.self, from: $0) }
        var parts = [this: try await own()]
        parts.merge(await asked) { $1 }
        return SummaryDocument(parts, owners: map.owners)
    }
}
