import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Metrics
import NIOCore
import PayloadModel

/// Answers each request (contract, section 6). Read-only, and everything that goes wrong is problem+json.
struct QueryResponder: HTTPResponder {
    typealias Context = BasicRequestContext

    let reader: any PayloadReader
    let health: any HealthReporter
    let metrics: PrometheusMetrics
    let logger: Logger

    /// The greatest `limit` of a history.
    private static let maxStatuses = 100_000
    private static let maxWait = Duration.seconds(60)
    private static let waitStep = Duration.milliseconds(100)
    /// The greatest length of a path with its query.
    private static let maxTargetBytes = 8 << 10

    private enum Route: String {
        case payload, statuses, healthz, readyz, metrics, unknown
    }

    func respond(to request: Request, context: Context) async throws -> Response {
        let start = ContinuousClock.now
        let (route, segments) = QueryResponder.route(request.uri.path)
        var response: Response
        do {
            response = try await answer(request, route, segments)
        } catch {
            response = QueryResponder.response(to: error)
        }
        response.headers[.cacheControl] = "no-store"
        response.headers[HTTPField.Name("X-Content-Type-Options")!] = "nosniff"
        record(route, response.status, since: start)
        return request.method == .head ? response.createHeadResponse() : response
    }

    // MARK: Routes

    /// Segments are split before they are decoded, so that an id may hold an encoded slash.
    private static func route(_ path: String) -> (Route, [Substring]) {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        switch Array(segments) {
        case ["healthz"]: return (.healthz, [])
        case ["readyz"]: return (.readyz, [])
        case ["metrics"]: return (.metrics, [])
        case let found where found.count == 3 && found[0] == "v1" && found[1] == "payloads":
            return (.payload, [found[2]])
        case let found where found.count == 4 && found[0] == "v1" && found[1] == "payloads" && found[3] == "statuses":
            return (.statuses, [found[2]])
        default: return (.unknown, [])
        }
    }

    private func answer(_ request: Request, _ route: Route, _ segments: [Substring]) async throws(Problem) -> Response {
        switch request.method {
        case .get, .head: break
        case .options: return Response(status: .noContent, headers: [.allow: "GET, HEAD, OPTIONS"])
        default: throw Problem(status: .methodNotAllowed, detail: "\(request.method) is not allowed: this service only answers questions")
        }
        guard request.uri.string.utf8.count <= QueryResponder.maxTargetBytes else {
            throw Problem(status: .uriTooLong, detail: "path and query have more than \(QueryResponder.maxTargetBytes) bytes")
        }
        let query = request.uri.query
        switch route {
        case .payload: return try await payload(segments[0], query)
        case .statuses: return try await statuses(segments[0], query)
        case .healthz:
            _ = try QueryParameters(query, allowed: [])
            return healthz()
        case .readyz:
            _ = try QueryParameters(query, allowed: [])
            return readyz()
        case .metrics:
            return QueryResponder.response(.ok, "text/plain; version=0.0.4; charset=utf-8", ByteBuffer(string: metrics.exposition()))
        case .unknown: throw .notFound("there is nothing at \(request.uri.path)")
        }
    }

    private func payload(_ segment: Substring, _ query: String?) async throws(Problem) -> Response {
        let id = try QueryResponder.id(segment)
        let parameters = try QueryParameters(query, allowed: ["wait", "local", "stale"])
        _ = try (parameters.flag("local", "true"), parameters.flag("stale", "allowed"))
        let wait = try parameters.duration("wait").map { min($0, QueryResponder.maxWait) }
        let deadline = ContinuousClock.now + (wait ?? .zero)
        while true {
            let found = try await read { () async throws(ReadFailure) in try await reader.document(id) }
            let isDecided = found.map { $0.document.outcome != .open } ?? false
            if isDecided || ContinuousClock.now >= deadline || Task.isCancelled {
                guard let found else { throw .notFound("no payload \(id) is known") }
                return try QueryResponder.json(found)
            }
            // Cancelled when the client goes away: then the loop ends above.
            try? await Task.sleep(for: QueryResponder.waitStep)
        }
    }

    private func statuses(_ segment: Substring, _ query: String?) async throws(Problem) -> Response {
        let id = try QueryResponder.id(segment)
        let parameters = try QueryParameters(query, allowed: ["limit", "local", "stale"])
        _ = try (parameters.flag("local", "true"), parameters.flag("stale", "allowed"))
        let limit = try parameters.integer("limit", in: 1...QueryResponder.maxStatuses)
        guard let data = try await read({ () async throws(ReadFailure) in try await reader.statuses(id, limit: limit) }) else {
            throw .notFound("no payload \(id) is known")
        }
        return try QueryResponder.json(["data": data])
    }

    private func healthz() -> Response {
        let report = health.health
        return QueryResponder.report(
            report.healthy, ["status": .text(report.healthy ? "ok" : "failing"), "problems": .list(report.problems)])
    }

    private func readyz() -> Response {
        let report = health.readiness
        return QueryResponder.report(
            report.ready, ["status": .text(report.ready ? "ready" : "not-ready"), "waiting_for": .list(report.waitingFor)])
    }

    private static func id(_ segment: Substring) throws(Problem) -> PayloadID {
        guard let text = segment.percentDecoded else { throw .badRequest("the id has broken percent-encoding") }
        do {
            return try PayloadID(normalizing: text)
        } catch {
            throw .badRequest("id: \(error)")
        }
    }

    private func read<R>(_ body: () async throws(ReadFailure) -> R) async throws(Problem) -> R {
        do {
            return try await body()
        } catch {
            switch error {
            case .noOwner(_, let reason, let seconds):
                throw Problem(status: .serviceUnavailable, detail: reason, retryAfterSeconds: seconds)
            case .store(let reason):
                logger.error("a lookup failed: \(reason)")
                throw Problem(status: .internalServerError, detail: "the payload cannot be read; the worker's log says why")
            }
        }
    }

    // MARK: Responses

    private enum ReportValue: Encodable {
        case text(String)
        case list([String])

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .list(let list): try container.encode(list)
            }
        }
    }

    private static func report(_ isGood: Bool, _ fields: [String: ReportValue]) -> Response {
        do {
            return try json(fields, status: isGood ? .ok : .serviceUnavailable)
        } catch {
            return response(to: error)
        }
    }

    private static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws(Problem) -> Response {
        do {
            return response(status, "application/json; charset=utf-8", ByteBuffer(bytes: try encoder.encode(value)))
        } catch {
            throw Problem(status: .internalServerError, detail: "the answer cannot be encoded")
        }
    }

    private static func response(to problem: Problem) -> Response {
        let body = (try? encoder.encode(problem)).map { ByteBuffer(bytes: $0) } ?? ByteBuffer()
        var response = response(problem.status, "application/problem+json", body)
        if problem.status == .methodNotAllowed { response.headers[.allow] = "GET, HEAD, OPTIONS" }
        if let seconds = problem.retryAfterSeconds { response.headers[.retryAfter] = "\(seconds)" }
        return response
    }

    private static func response(_ status: HTTPResponse.Status, _ contentType: String, _ body: ByteBuffer) -> Response {
        Response(status: status, headers: [.contentType: contentType], body: ResponseBody(byteBuffer: body))
    }

    private static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    private func record(_ route: Route, _ status: HTTPResponse.Status, since start: ContinuousClock.Instant) {
        let elapsed = ContinuousClock.now - start
        Metrics.Timer(
            label: "payload_tracker_http_request_duration",
            dimensions: [("route", route.rawValue), ("code", "\(status.code)")]
        ).recordNanoseconds(elapsed.components.seconds * 1_000_000_000 + elapsed.components.attoseconds / 1_000_000_000)
    }
}
