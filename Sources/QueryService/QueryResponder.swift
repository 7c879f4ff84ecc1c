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
    package typealias Context = QueryContext

    let reader: any PayloadReader
    let lists: any PayloadListReader
    let summary: any SummaryReader
    let watcher: any PayloadWatcher
    let partitions: any PartitionReader
    let outcomes: any OutcomeSource
    /// Nil: this instance is alone.
    let peers: Peers?
    /// Nil: anyone may ask.
    let access: AccessControl?
    /// Nil: a client may make as many requests as it likes.
    let rates: RequestRates?
    let health: any HealthReporter
    let metrics: PrometheusMetrics
    let requestMetrics: RequestMetrics
    let payloadMetrics: PayloadMetrics
    let logger: Logger
    private let page = Page()
    /// Of questions that look at many payloads: they must not take the processor and the disk from the worker.
    private let costly = RequestLimit(64, "lists or counts are under way", retryAfterSeconds: 1)
    /// Each has a connection of its own. What is left of `QueryServer.maxConnections` is for probes and those who do not wait.
    private let waiting = RequestLimit(maxWaiting, "requests wait for an outcome", retryAfterSeconds: 5)

    static let maxWaiting = 3_072
    /// Far more than the settings allow to be kept.
    private static let maxStatuses = 1_000_000
    private static let maxWait = Duration.seconds(60)
    /// After which a waiting request looks again by itself, at a standby: nobody tells of what that takes over.
    private static let staleWaitStep = Duration.seconds(2)
    /// Elsewhere it is woken. Thousands may wait, so that each look without need counts.
    private static let waitStep = Duration.seconds(15)
    /// Of a path with its query.
    private static let maxTargetBytes = 8 << 10

    package func respond(to request: Request, context: Context) async -> Response {
        let start = ContinuousClock.now
        let route = Route(path: request.uri.path)
        var response: Response
        do {
            try admit(request, route, context)
            if route.isQuick {
                response = try await answer(request, route, context)
            } else {
                response = try await withTaskExecutorPreference(globalConcurrentExecutor) {
                    // Those of instances are bounded where they begin.
                    if route.isCostly && request.headers[.trackerInstance] == nil {
                        return try await costly.run { try await answer(request, route, context) }
                    }
                    return try await answer(request, route, context)
                }
            }
        } catch let problem as Problem {
            response = route.response(to: problem)
        } catch {
            logger.error("a request for \(route.name) failed: \(error)")
            let problem = Problem(status: .internalServerError, detail: "the log of this instance says why")
            response = route.response(to: problem)
        }
        response.headers[.cacheControl] = "no-store"
        response.headers[.xContentTypeOptions] = "nosniff"
        requestMetrics.record(route, code: response.status.code, duration: .now - start)
        guard request.method == .head else { return response }
        var head = response.createHeadResponse()
        // The length of what a GET would bring (RFC 9110, section 8.6), which a stream does not have.
        head.headers[.contentLength] = response.headers[.contentLength]
        return head
    }

    /// Counts a client's request: before anything is judged, so that guesses of tokens and of the instances' secret count, too.
    private func admit(_ request: Request, _ route: Route, _ context: Context) throws(Problem) {
        guard let rates else { return }
        let claimsInstance = request.headers[.trackerInstance] != nil
        if claimsInstance {
            let origin = try? RequestOrigin(request.headers, secret: peers?.secret, isOpen: false)
            if origin == .instance { return }
        }
        let known = (try? access?.grant(request.headers))?.holder
        let isGuess = claimsInstance || route.scope != nil && access != nil && known == nil
        guard isGuess || route.isLimited else { return }
        try rates.admit(known ?? RequestRates.Client(context.channel.remoteAddress))
    }

    func answer(_ request: Request, _ route: Route, _ context: Context) async throws -> Response {
        switch request.method {
        case .get, .head: break
        case .options: return .options
        default:
            throw Problem(status: .methodNotAllowed, detail: "\(request.method) is not for this service: it only reads")
        }
        guard request.uri.string.utf8.count <= QueryResponder.maxTargetBytes else {
            throw Problem.badRequest("path and query have more than \(QueryResponder.maxTargetBytes) bytes")
        }
        let origin = try RequestOrigin(request.headers, secret: peers?.secret, isOpen: access == nil && rates == nil)
        let access = try self.access(to: route, request.headers, origin)
        let query = request.uri.query
        switch route {
        case .page: return page.response()
        case .payloads: return try await payloads(query, origin, access)
        case .payload(let id): return try await payload(id, query, origin, access, context)
        case .statuses(let id): return try await statuses(id, query, origin, access)
        case .outcomes: return try await outcomes(request, query, access, context)
        case .summary:
            try access.needsAll("the summary")
            return try await summary(query, origin)
        case .partitions:
            try access.needsAll("the list of partitions")
            return try await partitions(query, origin)
        case .healthz: return try healthz()
        case .readyz: return try readyz()
        case .metrics:
            try access.needsAll("what the metrics count")
            return await exposition()
        case .compatible(let route): return try await compatible(route, query, request.headers, context)
        case .unknown: throw Problem.notFound("there is nothing at \(request.uri.path)")
        }
    }

    private func access(to route: Route, _ headers: HTTPFields, _ origin: RequestOrigin) throws(Problem) -> Access {
        guard origin == .client, let access, let scope = route.scope else { return .all }
        return try access.grant(headers).access(for: scope)
    }

    // MARK: Payloads

    private func payload(
        _ segment: Substring,
        _ query: String?,
        _ origin: RequestOrigin,
        _ access: Access,
        _ context: QueryContext
    ) async throws -> Response {
        let id = try QueryResponder.id(segment)
        let parameters = try QueryParameters(query, allowed: origin.parameters.union(["wait", "local", "stale"]))
        let choice = try InstanceChoice(parameters, origin, access)
        let wait = try parameters.duration("wait", upTo: QueryResponder.maxWait) ?? .zero
        guard wait > .zero else { return try await payload(id, segment, choice, until: .now) }
        return try await waiting.run {
            try await ClientPresence.$current.withValue(ClientPresence(context.channel)) {
                try await payload(id, segment, choice, until: .now + wait)
            }
        }
    }

    private func payload(
        _ id: PayloadID,
        _ segment: Substring,
        _ choice: InstanceChoice,
        until deadline: ContinuousClock.Instant
    ) async throws -> Response {
        try await answer(choice, wait: { deadline - .now }) { (takesStale) async throws(ReadFailure) in
            try await document(id, of: choice.orgID, until: deadline, takesStale: takesStale)
        } respond: { found in
            choice.json(found)
        } target: { wait in
            "/v1/payloads/\(segment)?wait=\(wait.wholeMilliseconds)ms\(choice.rest)"
        }
    }

    /// The payload once its outcome is no longer open, or as it is at the deadline or when the server shuts down.
    ///
    /// - Parameter orgID: a payload of another organisation is as good as unknown, in how long the answer takes, too; nil: it may be of any.
    private func document(
        _ id: PayloadID,
        of orgID: Text?,
        until deadline: ContinuousClock.Instant,
        takesStale: Bool
    ) async throws(ReadFailure) -> LocatedDocument {
        while true {
            // Before the look, so that no change is missed after it.
            let changes = deadline > .now ? watcher.changes(of: id) : nil
            let isEnding = {
                Task.isCancelled || Task.isShuttingDownGracefully || ContinuousClock.now >= deadline
                    || ClientPresence.current?.isGone == true
            }
            do throws(ReadFailure) {
                let found = try await document(id, of: orgID, takesStale: takesStale)
                if found.document.outcome != .open || isEnding() { return found }
            } catch {
                guard case .unknown = error, !isEnding() else { throw error }
            }
            if let changes {
                let step = takesStale ? QueryResponder.staleWaitStep : QueryResponder.waitStep
                await QueryResponder.next(of: changes, until: min(deadline, .now + step))
            }
        }
    }

    private func document(_ id: PayloadID, of orgID: Text?, takesStale: Bool) async throws(ReadFailure)
        -> LocatedDocument
    {
        let found = try await reader.document(id, takesStale: takesStale)
        guard orgID == nil || found.document.orgID == orgID else {
            throw .unknown(id, stalenessRecords: takesStale ? found.stalenessRecords : nil)
        }
        return found
    }

    /// Returns with the next change, when the time has come, when the client goes, or when the server shuts down.
    private static func next(of changes: AsyncStream<Void>, until time: ContinuousClock.Instant) async {
        let (presence, end) = AsyncStream.makeStream(of: Never.self)
        let client = ClientPresence.current
        client?.onGone { end.finish() }
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for await _ in changes { return } }
                if client != nil { group.addTask { for await _ in presence {} } }
                group.addTask { try? await Task.sleep(until: time) }
                await group.next()
                group.cancelAll()
            }
        }
    }

    private func statuses(
        _ segment: Substring,
        _ query: String?,
        _ origin: RequestOrigin,
        _ access: Access
    ) async throws -> Response {
        let id = try QueryResponder.id(segment)
        let parameters = try QueryParameters(query, allowed: origin.parameters.union(["limit", "local", "stale"]))
        let choice = try InstanceChoice(parameters, origin, access)
        let limit = try parameters.integer("limit", in: 1...QueryResponder.maxStatuses)
        return try await answer(choice, wait: { .zero }) { (takesStale) async throws(ReadFailure) in
            try await statuses(id, of: choice.orgID, limit: limit, takesStale: takesStale)
        } respond: { found in
            choice.json(found)
        } target: { _ in
            "/v1/payloads/\(segment)/statuses?\(limit.map { "limit=\($0)" } ?? "")\(choice.rest)"
        }
    }

    private func statuses(
        _ id: PayloadID,
        of orgID: Text?,
        limit: Int?,
        takesStale: Bool
    ) async throws(ReadFailure) -> LocatedStatuses {
        // A history does not say whose it is.
        if orgID != nil { _ = try await document(id, of: orgID, takesStale: takesStale) }
        return try await reader.statuses(id, limit: limit, takesStale: takesStale)
    }

    /// Answers from this instance's stores or, where the payload's partition is elsewhere, has the owner answer. A standby, this instance
    /// or another one, is asked after the owner.
    ///
    /// - Parameters:
    ///   - wait: what is left of the time that the client grants.
    ///   - target: path and query for another instance.
    private func answer<Found>(
        _ choice: InstanceChoice,
        wait: () -> Duration,
        read: @escaping (_ takesStale: Bool) async throws(ReadFailure) -> Found,
        respond: @escaping (Found) throws -> Response,
        target: @escaping (_ wait: Duration) -> String
    ) async throws -> Response {
        let others = choice.mayAskOthers ? peers : nil
        let found: Found
        do {
            found = try await read(choice.takesStale && others == nil)
        } catch {
            guard let others, let partition = choice.partition(toAskOthersFor: error) else {
                throw problem(error, choice.origin)
            }
            return await Forwarder(
                peers: others,
                partition: partition,
                wait: max(wait(), .zero),
                target: target,
                standby: choice.takesStale
                    ? {
                        try respond(
                            try await self.read(choice.origin) { () async throws(ReadFailure) in try await read(true) }
                        )
                    } : nil
            )
            .answer()
        }
        return try respond(found)
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

    func read<Answer>(_ origin: RequestOrigin, _ lookUp: () async throws(ReadFailure) -> Answer)
        async throws(Problem)
        -> Answer
    {
        do { return try await lookUp() } catch { throw problem(error, origin) }
    }

    private func problem(_ failure: ReadFailure, _ origin: RequestOrigin) -> Problem {
        switch failure {
        case .unknown(let id, let staleness):
            let who = staleness.map { $0 > 0 ? " to a standby that lacks \($0) records" : "" } ?? ""
            var problem = Problem.notFound("no payload \(id) is known\(who)")
            problem.stalenessRecords = staleness
            return problem
        case .elsewhere(let partition):
            let detail = "partition \(partition) is not on this instance"
            // RFC 9110, section 15.5.20: who asks has to look for another one.
            return origin == .instance
                ? Problem(status: .misdirectedRequest, detail: detail) : .unavailable(detail, retryAfterSeconds: 2)
        case .noOwner(_, let reason, let seconds):
            return .unavailable(reason, retryAfterSeconds: seconds)
        case .store(let reason):
            logger.error("a payload could not be read: \(reason)")
            return Problem(
                status: .internalServerError,
                detail: "the payload cannot be read; the log of this instance says why"
            )
        }
    }

    private func partitions(_ query: String?, _ origin: RequestOrigin) async throws -> Response {
        let choice = try InstanceChoice(try QueryParameters(query, allowed: ["local"]), origin)
        let own = try await read(origin) { () async throws(ReadFailure) in try await partitions.partitions() }
        guard choice.mayAskOthers, let peers else { return try .json(own) }
        return try .json(await PartitionGatherer(peers: peers).merged(own))
    }

    // MARK: Probes and metrics

    // What orchestrators add to the path of a probe (`?verbose`, a time against caches) is nobody's question.

    private func healthz() throws -> Response {
        let report = health.health
        if report.healthy { return try .json(["status": "ok"]) }
        throw QueryResponder.unavailable("problems", report.problems)
    }

    private func readyz() throws -> Response {
        let report = health.readiness
        if report.ready { return try .json(["status": "ready"]) }
        throw QueryResponder.unavailable("waiting_for", report.waitingFor)
    }

    private static func unavailable(_ name: String, _ sentences: [String]) -> Problem {
        Problem(
            status: .serviceUnavailable,
            detail: sentences.joined(separator: "; "),
            retryAfterSeconds: 5,
            list: (name, sentences)
        )
    }

    private func exposition() async -> Response {
        if let part = try? await summary.summary() { payloadMetrics.record(part) }
        let text = ByteBuffer(string: await metrics.scrape())
        return Response(status: .ok, contentType: "text/plain; version=0.0.4; charset=utf-8", body: text)
    }
}

/// Which instances may answer: `?local=true` allows this one alone, `?stale=allowed` those that stand by, too.
struct InstanceChoice {
    let origin: RequestOrigin
    let mayAskOthers: Bool
    let takesStale: Bool
    /// The one organisation whose payloads may be told of; nil: all.
    let orgID: Text?
    /// What the owner has to know of it: parameters, each with an `&` before it.
    let rest: String

    init(_ parameters: QueryParameters, _ origin: RequestOrigin, _ access: Access = .all) throws(Problem) {
        let isLocal = try parameters.flag("local", word: "true")
        takesStale = try parameters.flag("stale", word: "allowed")
        self.origin = origin
        mayAskOthers = origin == .client && !isLocal
        orgID = origin.parameters.contains("org_id") ? parameters.text("org_id").map { Text($0) } : access.orgID
        rest = (takesStale ? "&stale=allowed" : "") + (orgID.map { "&org_id=\($0.string.percentEncoded)" } ?? "")
    }

    /// The partition of a question that this instance's running tasks do not answer, where others may; nil: they may not. One that is about
    /// to run here has no other owner, but perhaps a standby.
    func partition(toAskOthersFor failure: ReadFailure) -> Int32? {
        switch failure {
        case .elsewhere(let partition): partition
        case .noOwner(let partition, _, _): takesStale ? partition : nil
        case .unknown, .store: nil
        }
    }

    func json(_ answer: some Staleable) -> Response {
        .json { answer.write(to: &$0, showsStaleness: takesStale) }
    }
}

extension Duration {
    fileprivate var wholeMilliseconds: Int64 {
        components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000
    }
}
