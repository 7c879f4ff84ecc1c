import Hummingbird
import PayloadModel

extension QueryResponder {
    private static let pageLimit = 50
    private static let maxPageLimit = 500

    /// A page of the payloads that a filter takes in, of all instances or of this one alone.
    func payloads(_ query: String?, _ origin: RequestOrigin, _ access: Access) async throws -> Response {
        let others: Set<String> = ["limit", "cursor", "local", "stale", "partial"]
        let parameters = try QueryParameters(query, allowed: PayloadFilter.names.union(others))
        let choice = try InstanceChoice(parameters, origin)
        let isPartial = try parameters.flag("partial", word: "allowed")
        let request = try QueryResponder.pageRequest(parameters, access, takesStale: choice.takesStale)
        let page: MergedPage
        if let peers, choice.mayAskOthers {
            let gatherer = ListGatherer(
                peers: peers,
                request: request,
                query: access.restricted(query ?? "", parameters)
            )
            page = try await gatherer.page(isPartial: isPartial) { (request) async throws(Problem) in
                try await ownPart(request, origin)
            }
        } else {
            page = MergedPage(try await ownPart(request, origin))
            // Who asks for this instance alone expects no other's payloads.
            if choice.mayAskOthers && !isPartial, let problem = page.incompleteness { throw problem }
        }
        return try .json(
            PageAnswer(
                data: page.items.map(\.object),
                nextCursor: page.next.map { PageCursor.encode($0, request.filter) },
                missing: isPartial || !choice.mayAskOthers ? page.missing.sorted() : nil,
                standbys: choice.takesStale ? page.standbys : nil
            )
        )
    }

    private func ownPart(_ request: PageRequest, _ origin: RequestOrigin) async throws(Problem) -> MergedPage.Part {
        try MergedPage.Part(
            try await read(origin) { () async throws(ReadFailure) in try await lists.page(request) }
        )
    }

    private static func pageRequest(
        _ parameters: QueryParameters,
        _ access: Access,
        takesStale: Bool
    ) throws(Problem) -> PageRequest {
        var filter: PayloadFilter
        do throws(PayloadFilter.Refusal) {
            filter = try PayloadFilter(parameters.texts(PayloadFilter.names))
        } catch {
            throw .badRequest("\(error)")
        }
        if let orgID = access.orgID {
            guard filter.orgID ?? orgID == orgID else {
                throw Problem(status: .forbidden, detail: "this token does not show payloads of that org_id")
            }
            filter.orgID = orgID
        }
        let limit = try parameters.integer("limit", in: 1...maxPageLimit) ?? pageLimit
        var request = PageRequest(filter: filter, start: nil, limit: limit, takesStale: takesStale)
        if let cursor = parameters.text("cursor") {
            request.start = PageCursor.decode(cursor, filter)
            if request.start == nil {
                throw .badRequest(
                    "cursor is not one that this question was answered with: take next_cursor as it is, with the same filters"
                )
            }
        }
        return request
    }
}
