import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// The endpoints of payload-tracker-go under `/api/v1`, so that its clients can be pointed here. They are a translation: each is put
/// together from this service's own answers, wherever the payloads are.
///
/// Its lists can be sorted by anything and paged by number, which needs all of it at once. So they are made of the newest payloads alone,
/// a bounded number; what lies beyond is for `/v1/payloads` and its cursors.
enum CompatibleRoute {
    case payloads
    case payload(id: Substring)
    case statuses
}

extension QueryResponder {
    /// The most payloads that `payloads` looks at.
    private static let payloadWindow = 1_000
    /// The most payloads that `statuses` looks at, and the most of the statuses of each.
    private static let statusWindow = 100
    private static let ownPageLimit = 500
    /// How many histories are looked up at the same time.
    private static let lookupsAtOnce = 8

    func compatible(
        _ route: CompatibleRoute,
        _ query: String?,
        _ headers: HTTPFields,
        _ context: QueryContext
    ) async throws -> Response {
        let source = OwnAnswers(responder: self, headers: headers, context: context)
        switch route {
        case .payloads: return try await compatiblePayloads(query, source)
        case .payload(let id): return try await compatiblePayload(id, query, source)
        case .statuses: return try await compatibleStatuses(query, source)
        }
    }

    private func compatiblePayloads(_ query: String?, _ source: OwnAnswers) async throws -> Response {
        let start = ContinuousClock.now
        let parameters = try CompatiblePage.query(query, filters: CompatiblePayload.filters)
        let page = try CompatiblePage(parameters, limit: QueryResponder.payloadWindow)
        let order = try CompatibleOrder(parameters, CompatiblePayload.sortable, default: "created_at")
        let created = try CompatibleDates("created_at", parameters)
        var filters = parameters.texts(["account", "org_id", "inventory_id", "system_id"])
        filters["since"] = created.start
        let (found, isAll) = try await source.newest(QueryResponder.payloadWindow, filters)
        let rows = found.map(CompatiblePayload.init).filter { created.contains($0.createdAt) }
            .sorted { order.precedes($0[order.key], $1[order.key]) }
        return try .json(CompatibleList(count: isAll ? rows.count : 0, start: start, data: page.of(rows)))
    }

    private func compatiblePayload(_ id: Substring, _ query: String?, _ source: OwnAnswers) async throws -> Response {
        let parameters = try QueryParameters(known: ["sort_by", "sort_dir", "verbosity"], in: query)
        let order = try CompatibleOrder(parameters, CompatibleStatus.sortable, default: "date")
        let verbosity = try parameters.integer("verbosity", in: 0...2) ?? 0
        let payload = try await source.object("/v1/payloads/\(id)")
        let history = try await source.object("/v1/payloads/\(id)/statuses")["data"].array
        let rows = history.map { CompatibleStatus($0, of: payload) }
            .sorted { order.precedes($0[order.key], $1[order.key]) }
        return try .json(
            CompatibleHistory(
                data: rows.map { $0.object(CompatibleStatus.fields(verbosity: verbosity)) },
                duration: CompatibleDurations.of(payload)
            )
        )
    }

    private func compatibleStatuses(_ query: String?, _ source: OwnAnswers) async throws -> Response {
        let start = ContinuousClock.now
        let parameters = try CompatiblePage.query(query, filters: CompatibleStatus.filters)
        let page = try CompatiblePage(parameters, limit: QueryResponder.statusWindow)
        let order = try CompatibleOrder(parameters, CompatibleStatus.listSortable, default: "date")
        let dates = try [CompatibleDates("date", parameters), CompatibleDates("created_at", parameters)]
        var filters = parameters.texts(["service", "source", "status", "status_msg"])
        // Kept in lower case, however they were sent.
        for name in ["service", "source", "status"] { filters[name] = filters[name]?.lowercased() }
        var ownFilters = filters.filter { $0.key == "service" }
        // A status of today is in a payload that has changed today.
        ownFilters["since"] = dates.compactMap(\.start).max()
        // Each payload has a status of its own `updated_at`: the newest statuses are those of as many payloads, at most.
        let isPlain = filters.isEmpty && order.isNewestFirst && dates.allSatisfy(\.isOpen)
        let window = isPlain ? page.end : QueryResponder.statusWindow
        let (payloads, isAll) = try await source.newest(window, ownFilters)
        let histories = try await source.histories(of: payloads, atOnce: QueryResponder.lookupsAtOnce) {
            "/v1/payloads/\($0)/statuses?limit=\(QueryResponder.statusWindow)"
        }
        let rows = zip(payloads, histories)
            .flatMap { payload, history in history.map { CompatibleStatus($0, of: payload) } }
            .filter { row in
                filters.allSatisfy { row[$0.key] == $0.value } && dates.allSatisfy { $0.contains(row["date"]) }
            }
            .sorted { order.precedes($0[order.key], $1[order.key]) }
        let isWhole = isAll && histories.allSatisfy { $0.count < QueryResponder.statusWindow }
        let fields = CompatibleStatus.listFields
        return try .json(
            CompatibleList(
                count: isWhole ? rows.count : 0,
                start: start,
                data: page.of(rows).map { $0.object(fields) }
            )
        )
    }
}

extension Response {
    /// A problem as payload-tracker-go tells it.
    init(compatible problem: Problem) {
        struct Body: Encodable {
            let title: String
            let message: String
            let status: Int
        }
        self.init(problem)
        let body = Body(title: problem.status.reasonPhrase, message: problem.detail, status: problem.status.code)
        guard let response = try? Response.json(body, status: problem.status) else { return }
        self.body = response.body
        for name in [.contentType, .contentLength] as [HTTPField.Name] { headers[name] = response.headers[name] }
    }
}
