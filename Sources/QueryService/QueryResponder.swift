import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import PayloadModel
import ServiceLifecycle

/// Answers each request (contract, section 6). Read-only, and everything that goes wrong is a problem+json.
///
/// It routes by itself: Hummingbird's router has a 404 for a wrong method, and errors of its own form.
package struct QueryResponder: HTTPResponder {
    package typealias Context = BasicRequestContext

    let reader: any PayloadReader
    let health: any HealthReporter
    let metrics: PrometheusMetrics
    let requestMetrics: RequestMetrics
    let logger: Logger

    /// The greatest history that the settings allow to be kept.
    private static let maxStatuses = 100_000
    private static let maxWait = Duration.seconds(60)
    private static let waitStep = Duration.milliseconds(100)
    /// Of a path with its query.
    private static let maxTargetBytes = 8 << 10

    package func respond(to request: Request, context: Context) async -> Response {
        let start = ContinuousClock.now
        let route = Route(path: request.uri.path)
        var response: Response
        do {
            response = try await answer(request, route)
        } catch let problem as Problem {
            response = Response(problem)
        } catch {
            logger.error("a request for \(route.name) failed: \(error)")
            response = Response(Problem(status: .internalServerError, detail: "the log of this instance says why"))
        }
        response.headers[.cacheControl] = "no-store"
        response.headers[.xContentTypeOptions] = "nosniff"
        requestMetrics.record(route, code: response.status.code, duration: .now - start)
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(_ request: Request, _ route: Route) async throws -> Response {
        switch request.method {
        case .get, .head: break
        case .options: return .options
        default:
            throw Problem(status: .methodNotAllowed, detail: "\(request.method) is not for this service: it only reads")
        }
        guard request.uri.string.utf8.count <= QueryResponder.maxTargetBytes else {
            throw Problem(
                status: .uriTooLong,
                detail: "path and query have more than \(QueryResponder.maxTargetBytes) bytes"
            )
        }
        let query = request.uri.query
        switch route {
        case .payload(let id): return try await payload(id, query)
        case .statuses(let id): return try await statuses(id, query)
        case .healthz: return try healthz(query)
        case .readyz: return try readyz(query)
        case .metrics: return try exposition(query)
        case .unknown: throw Problem.notFound("there is nothing at \(request.uri.path)")
        }
    }

    // MARK: Payloads

    private func payload(_ segment: Substring, _ query: String?) async throws -> Response {
        let id = try QueryResponder.id(segment)
        let parameters = try QueryParameters(query, allowed: ["wait", "local", "stale"])
        try QueryResponder.checkInstanceChoice(parameters)
        let wait = try parameters.duration("wait", upTo: QueryResponder.maxWait) ?? .zero
        guard let found = try await document(id, within: wait) else { throw QueryResponder.unknown(id) }
        return try .json(found)
    }

    /// The payload once its outcome is no longer open, or as it is when `wait` has passed or the server shuts down.
    private func document(_ id: PayloadID, within wait: Duration) async throws(Problem) -> LocatedDocument? {
        let deadline = ContinuousClock.now + wait
        while true {
            let found = try await read { () async throws(ReadFailure) in try await reader.document(id) }
            if let found, found.document.outcome != .open { return found }
            let isEnding = Task.isCancelled || Task.isShuttingDownGracefully
            if isEnding || ContinuousClock.now >= deadline { return found }
            // A sleep that is cancelled returns at once, and the loop ends above.
            try? await Task.sleep(until: min(deadline, .now + QueryResponder.waitStep))
        }
    }

    private func statuses(_ segment: Substring, _ query: String?) async throws -> Response {
        let id = try QueryResponder.id(segment)
        let parameters = try QueryParameters(query, allowed: ["limit", "local", "stale"])
        try QueryResponder.checkInstanceChoice(parameters)
        let limit = try parameters.integer("limit", in: 1...QueryResponder.maxStatuses)
        let found = try await read { () async throws(ReadFailure) in try await reader.statuses(id, limit: limit) }
        guard let found else { throw QueryResponder.unknown(id) }
        return try .json(["data": found])
    }

    private static func id(_ segment: Substring) throws(Problem) -> PayloadID {
        guard let text = segment.percentDecoded else {
            throw .badRequest("the id \"\(segment)\" has broken percent-encoding")
        }
        do {
            return try PayloadID(normalizing: text)
        } catch {
            throw .badRequest("id: \(error)")
        }
    }

    private static func unknown(_ id: PayloadID) -> Problem { .notFound("no payload \(id) is known") }

    /// `local` and `stale` choose among instances. This one asks no other and has no standby: they change nothing yet.
    private static func checkInstanceChoice(_ parameters: QueryParameters) throws(Problem) {
        _ = try parameters.flag("local", word: "true")
        _ = try parameters.flag("stale", word: "allowed")
    }

    private func read<Answer>(_ lookUp: () async throws(ReadFailure) -> Answer) async throws(Problem) -> Answer {
        do {
            return try await lookUp()
        } catch {
            switch error {
            case .noOwner(_, let reason, let seconds):
                throw Problem(status: .serviceUnavailable, detail: reason, retryAfterSeconds: seconds)
            case .store(let reason):
                logger.error("a payload could not be read: \(reason)")
                throw Problem(
                    status: .internalServerError,
                    detail: "the payload cannot be read; the log of this instance says why"
                )
            }
        }
    }

    // MARK: Probes and metrics

    private func healthz(_ query: String?) throws -> Response {
        _ = try QueryParameters(query)
        let report = health.health
        return try .json(report, status: report.healthy ? .ok : .serviceUnavailable)
    }

    private func readyz(_ query: String?) throws -> Response {
        _ = try QueryParameters(query)
        let report = health.readiness
        return try .json(report, status: report.ready ? .ok : .serviceUnavailable)
    }

    private func exposition(_ query: String?) throws -> Response {
        _ = try QueryParameters(query)
        let text = ByteBuffer(string: metrics.exposition())
        return Response(status: .ok, contentType: "text/plain; version=0.0.4; charset=utf-8", body: text)
    }
}
