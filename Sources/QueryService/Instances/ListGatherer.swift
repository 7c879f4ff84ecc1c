/// Asks all instances for the same page of a list, at once, and merges what they have.
struct ListGatherer {
    let peers: Peers
    let request: PageRequest
    /// The client's query, still percent-encoded.
    let query: String

    private static let patience = Duration.seconds(5)
    /// Where there may be a standby to ask instead.
    private static let patienceBeforeStandbys = Duration.seconds(1)

    /// Standbys are asked only where a page without them would lack a partition, and of those who have answered before.
    ///
    /// - Parameters:
    ///   - isPartial: whether a page without some partitions is better than none.
    ///   - own: what this instance has, for the client's question as it is or without standbys.
    func page(
        isPartial: Bool,
        own: (PageRequest) async throws(Problem) -> MergedPage.Part
    ) async throws(Problem) -> MergedPage {
        let map = await peers.knownMap
        var (page, answered) = try await merged(map, own, takesStale: false)
        if page.incompleteness != nil && request.takesStale {
            var reached = map
            reached.instances = answered
            page = try await merged(reached, own, takesStale: true).page
        }
        guard let problem = page.incompleteness, !isPartial else { return page }
        // A partition may have moved to where nobody looked.
        let newer = await peers.directory.refreshed(after: map.version, isPatient: true)
        if newer.version == map.version { throw problem }
        let again = try await merged(newer, own, takesStale: request.takesStale).page
        if let problem = again.incompleteness { throw problem }
        return again
    }

    private func merged(
        _ map: InstanceMap,
        _ own: (PageRequest) async throws(Problem) -> MergedPage.Part,
        takesStale: Bool
    ) async throws(Problem) -> (page: MergedPage, answered: [TrackerInstance]) {
        let this = peers.directory.own ?? TrackerInstance(name: "", url: nil)
        let others = map.instances.filter { $0 != this }
        let isFirstTry = self.request.takesStale && !takesStale
        async let asked = peers.gather(
            from: others,
            target(takesStale),
            patience: isFirstTry ? ListGatherer.patienceBeforeStandbys : ListGatherer.patience
        ) { [filter = self.request.filter] in try? MergedPage.Part($0, filter: filter) }
        var request = request
        request.takesStale = takesStale
        var parts = [this: try await own(request)]
        parts.merge(await asked) { $1 }
        return (MergedPage(parts, owners: map.owners, limit: request.limit), Array(parts.keys))
    }

    /// The client's own question, for the other's stores alone.
    private func target(_ takesStale: Bool) -> String {
        let wishes: Set<String?> = ["local", "partial", "stale"]
        let kept = query.split(separator: "&").filter { pair in
            !wishes.contains(pair.prefix { $0 != "=" }.percentDecoded)
        }
        let own: [Substring] = takesStale ? ["local=true", "stale=allowed"] : ["local=true"]
        return "/v1/payloads?\((kept + own).joined(separator: "&"))"
    }
}
