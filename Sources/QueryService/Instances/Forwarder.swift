import HTTPTypes
import Hummingbird

/// Has the owner of a partition answer a question about a payload, and passes its answer on as it is.
///
/// A question goes to the instance that the map names. If that does not have the partition, or does not answer at all, the map is
/// refreshed once and the question is asked once more; after that the client is told to come back.
///
/// A client that takes a stale answer gets a standby's as soon as the owner has not answered, before anything else is tried.
struct Forwarder {
    let peers: Peers
    /// The client's question, to what this instance stands by for; nil: the client takes no stale answer.
    let standby: (() async throws -> Response)?
    let partition: Int32
    /// Until then owners have to answer; a wait is over before it, by as much as the answer itself may take.
    private let end: ContinuousClock.Instant
    /// What an owner may take for its answer, besides the client's `wait`.
    private let patience: Duration
    /// Path and query for what is left of the client's wait.
    private let target: (_ wait: Duration) -> String

    private static let patience = Duration.seconds(5)
    /// Where there may be a standby to ask instead.
    private static let patienceBeforeStandbys = Duration.seconds(1)

    private enum Attempt {
        case answered(Response)
        /// - Parameter next: what another look at the map is worth.
        case inVain(Response, next: Look)
    }

    private enum Look {
        case useless
        /// If the coordinator may be asked at once.
        case now
        /// The partition has moved: it is worth waiting for the coordinator's answer.
        case patient
    }

    /// - Parameters:
    ///   - wait: how long the client wants to wait for an outcome.
    ///   - target: path and query for what is left of that.
    init(
        peers: Peers,
        partition: Int32,
        wait: Duration,
        target: @escaping (_ wait: Duration) -> String,
        standby: (() async throws -> Response)?
    ) {
        self.peers = peers
        self.partition = partition
        self.target = target
        self.standby = standby
        patience = standby == nil ? Forwarder.patience : Forwarder.patienceBeforeStandbys
        end = .now + wait + patience
    }

    func answer() async -> Response {
        let directory = peers.directory
        var map = directory.map
        if map.owners[partition] == nil { map = await directory.refreshed(after: map.version, isPatient: false) }
        switch await attempt(by: map) {
        case .answered(let response): return response
        case .inVain(let response, let next):
            if let stale = await standbyAnswer(by: map) { return stale }
            if case .useless = next { return response }
            let isPatient = if case .patient = next { true } else { false }
            let newer = await directory.refreshed(after: map.version, isPatient: isPatient)
            if newer.version == map.version { return response }
            switch await attempt(by: newer) {
            case .answered(let response): return response
            case .inVain(let response, _): return await standbyAnswer(by: newer) ?? response
            }
        }
    }

    private func attempt(by map: InstanceMap) async -> Attempt {
        do throws(Problem) {
            return try await attempt(owner(in: map))
        } catch {
            return .inVain(Response(error), next: .useless)
        }
    }

    private func attempt(_ owner: TrackerInstance) async throws(Problem) -> Attempt {
        do throws(PeerFailure) {
            let answer = try await ask(owner)
            if let response = Forwarder.passedOn(answer) {
                let isUnavailable = answer.status == .serviceUnavailable && standby != nil
                return isUnavailable ? .inVain(response, next: .useless) : .answered(response)
            }
            guard answer.status == .misdirectedRequest else {
                throw .unusable("answered with the HTTP status \(answer.status.code)")
            }
            let problem = Problem.unavailable("partition \(partition) is moving: \(owner.name) does not have it")
            return .inVain(Response(problem), next: .patient)
        } catch {
            let problem = Forwarder.problem(error, partition, owner)
            guard case .unreachable = error else { throw problem }
            return .inVain(Response(problem), next: .now)
        }
    }

    /// What a standby has, this instance's own first; nil: none has anything.
    private func standbyAnswer(by map: InstanceMap) async -> Response? {
        guard let standby else { return nil }
        do {
            // Whatever the map says, this instance knows what it has.
            return try await standby()
        } catch let problem as Problem where problem.status == .notFound {
            return Response(problem)
        } catch {}
        for instance in map.standbys[partition, default: []] where instance != peers.directory.own {
            guard let answer = try? await ask(instance), let response = Forwarder.passedOn(answer),
                [.ok, .notFound].contains(answer.status)
            else { continue }
            return response
        }
        return nil
    }

    private func owner(in map: InstanceMap) throws(Problem) -> TrackerInstance {
        let reason = map.problem.map { "; \($0)" } ?? ""
        guard let owner = map.owners[partition] else {
            throw .unavailable("partition \(partition) has no owner that is known\(reason)")
        }
        if owner == peers.directory.own {
            throw .unavailable("partition \(partition) is about to be opened by this instance, or to leave it\(reason)")
        }
        return owner
    }

    private func ask(_ instance: TrackerInstance) async throws(PeerFailure) -> PeerAnswer {
        let left = max(end - .now, standby == nil ? .zero : patience)
        let wait = max(left - patience, .zero)
        do {
            return try await askWhileClientWaits(instance, target(wait), patience: left - wait, wait: wait)
        } catch {
            guard case .cancelled = error, wait > .zero else { throw error }
            // This instance shuts down, or the client goes: it gets at once what the other knows.
            return try await peers.ask(instance, target(.zero), patience: patience)
        }
    }

    /// The other instance waits no longer than the client does.
    private func askWhileClientWaits(
        _ instance: TrackerInstance,
        _ target: String,
        patience: Duration,
        wait: Duration
    ) async throws(PeerFailure) -> PeerAnswer {
        guard let client = ClientPresence.current else {
            return try await peers.ask(instance, target, patience: patience, wait: wait)
        }
        let asking = Task { [peers] () async -> Result<PeerAnswer, PeerFailure> in
            do throws(PeerFailure) {
                return .success(try await peers.ask(instance, target, patience: patience, wait: wait))
            } catch {
                return .failure(error)
            }
        }
        client.onGone { asking.cancel() }
        return try await withTaskCancellationHandler {
            await asking.value
        } onCancel: {
            asking.cancel()
        }
        .get()
    }

    /// The answer to the client, for those that are about the question and not about who was asked.
    private static func passedOn(_ answer: PeerAnswer) -> Response? {
        switch answer.status {
        case .ok, .badRequest, .notFound, .internalServerError, .serviceUnavailable:
            var response = Response(status: answer.status, body: ResponseBody(byteBuffer: answer.body))
            for name in [.contentType, .retryAfter] as [HTTPField.Name] {
                response.headers[name] = answer.headers[name]
            }
            return response
        default: return nil
        }
    }

    private static func problem(_ failure: PeerFailure, _ partition: Int32, _ owner: TrackerInstance) -> Problem {
        let place = owner.url.map { " at \($0)" } ?? ""
        let name = "\(owner.name)\(place), which has partition \(partition),"
        return switch failure {
        case .unreachable: .unavailable("\(name) cannot be reached", retryAfterSeconds: 5)
        case .timedOut: .unavailable("\(name) does not answer in time", retryAfterSeconds: 5)
        case .tooLarge: .unavailable("\(name) has an answer that is too large to pass on; ask it there")
        case .cancelled: .unavailable("this instance is shutting down; ask another one")
        case .busy: .unavailable("too many requests to \(name) are under way", retryAfterSeconds: 2)
        case .unusable(let reason): .unavailable("\(name) \(reason)", retryAfterSeconds: 30)
        }
    }
}

extension Problem {
    static func unavailable(_ detail: String, retryAfterSeconds: Int = 1) -> Problem {
        Problem(status: .serviceUnavailable, detail: detail, retryAfterSeconds: retryAfterSeconds)
    }
}
