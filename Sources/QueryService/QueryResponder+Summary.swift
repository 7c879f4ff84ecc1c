import Hummingbird

extension QueryResponder {
    /// Counts of all instances, or of this one alone. Another instance is told them by partition, so that it can add them up.
    func summary(_ query: String?, _ origin: RequestOrigin) async throws -> Response {
        let parameters = try QueryParameters(query, allowed: ["local", "partial"])
        let choice = try InstanceChoice(parameters, origin)
        let isPartial = try parameters.flag("partial", word: "allowed")
        let own = { () async throws(Problem) in
            try await read(origin) { () async throws(ReadFailure) in try await summary.summary() }
        }
        if origin == .instance { return try .json(try await own()) }
        var document: SummaryDocument
        if let peers, choice.mayAskOthers {
            document = try await SummaryGatherer(peers: peers).summary(isPartial: isPartial, own: own)
        } else {
            document = SummaryDocument([TrackerInstance(name: "", url: nil): try await own()], owners: [:])
            // Who asks for this instance alone expects no other's payloads.
            if choice.mayAskOthers && !isPartial, let problem = document.incompleteness { throw problem }
        }
        if choice.mayAskOthers && !isPartial { document.missingPartitions = nil }
        return try .json(document)
    }
}
