import Foundation
import HTTPTypes
import Logging
import NIOCore
import PayloadModel
import QueryService
import ServiceLifecycle
import Synchronization
import Testing

@testable import PayloadTracker

/// What instances rely on when they ask each other over the network.
@Suite("Two instances", .timeLimit(.minutes(1)))
struct PeerTests {
    private static let secret = PeerSecret("correct-horse-battery-staple")
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// An endpoint on a free port while `body` runs.
    private func withInstance(
        _ name: String,
        partition: Int32,
        secret: PeerSecret? = secret,
        body: (_ url: String, _ directory: FixedDirectory) async throws -> Void
    ) async throws {
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let directory = FixedDirectory()
        let url = OwnURL()
        let server = QueryServer(
            configuration: .init(host: "127.0.0.1", port: 0),
            reader: OnePartition(partition: partition, url: url),
            lists: NothingElse(),
            summary: NothingElse(),
            watcher: NothingElse(),
            partitions: NoPartitions(),
            outcomes: NothingElse(),
            peers: Peers(directory: directory, client: HTTPPeerClient(), secret: secret),
            health: AlwaysHealthy(),
            metrics: PrometheusMetrics(),
            logger: logger
        ) { port in
            url.set("http://127.0.0.1:\(port)")
            directory.set(own: TrackerInstance(name: name, url: url.text))
            listening.yield(port)
        }
        let services = ServiceGroup(services: [server], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { listening.finish() }
                try await services.run()
            }
            _ = try #require(await ports.first { _ in true })
            try await body(url.text, directory)
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
        }
    }

    private func get(_ url: String) async throws -> (status: HTTPResponse.Status, fields: [String: Any]) {
        let answer = try await HTTPPeerClient().get(url, headers: [:], timeout: .seconds(10))
        let body = Data(answer.body.readableBytesView)
        return (answer.status, try #require(try JSONSerialization.jsonObject(with: body) as? [String: Any]))
    }

    @Test("a payload is answered the same by both, and says who has it")
    func sameAnswer() async throws {
        try await withInstance("one", partition: 1) { first, firstDirectory in
            try await withInstance("two", partition: 2) { second, secondDirectory in
                let owners: [Int32: TrackerInstance] = [
                    1: .init(name: "one", url: first), 2: .init(name: "two", url: second),
                ]
                firstDirectory.set(owners)
                secondDirectory.set(owners)
                for root in [first, second] {
                    for (id, owner) in [("p1", first), ("p2", second)] {
                        let (status, fields) = try await get("\(root)/v1/payloads/\(id)")
                        #expect(status == .ok && fields["served_by"] as? String == owner)
                    }
                    #expect(try await get("\(root)/v1/payloads/p1/statuses").status == .ok)
                    #expect(try await get("\(root)/v1/payloads/unknown2").status == .notFound)
                }
                // A map that is wrong on both sides ends with a 503 and not in a circle.
                firstDirectory.set([2: .init(name: "two", url: second), 3: .init(name: "two", url: second)])
                secondDirectory.set([3: .init(name: "one", url: first)])
                let (status, fields) = try await get("\(first)/v1/payloads/p3")
                #expect(status == .serviceUnavailable)
                #expect((fields["detail"] as? String)?.contains("partition 3") == true)
            }
        }
    }

    @Test("an owner that does not know the same secret refuses, and the client is told what to set right")
    func differentSecrets() async throws {
        try await withInstance("one", partition: 1) { first, _ in
            try await withInstance("two", partition: 2, secret: PeerSecret("another-secret-altogether")) {
                second,
                directory in
                directory.set([1: .init(name: "one", url: first)])
                let (status, fields) = try await get("\(second)/v1/payloads/p1")
                #expect(status == .serviceUnavailable)
                #expect((fields["detail"] as? String)?.contains("http.peer-secret") == true)
            }
        }
    }

    @Test("an instance that is gone is told from one that hangs", .timeLimit(.minutes(1)))
    func unreachable() async throws {
        await #expect {
            try await HTTPPeerClient().get("http://127.0.0.1:1/", headers: [:], timeout: .seconds(3600))
        } throws: { error in
            if case PeerFailure.unreachable = error { true } else { false }
        }
        try await withInstance("one", partition: 1) { url, _ in
            await #expect {
                try await HTTPPeerClient()
                    .get("\(url)/v1/payloads/open1?wait=30s", headers: [:], timeout: .milliseconds(300))
            } throws: { error in
                if case PeerFailure.timedOut = error { true } else { false }
            }
        }
    }
}

/// Says what it is told to.
private final class FixedDirectory: InstanceDirectory {
    private let state = Mutex<(own: TrackerInstance?, map: InstanceMap)>((nil, InstanceMap()))

    func set(own: TrackerInstance) { state.withLock { $0.own = own } }

    func set(_ owners: [Int32: TrackerInstance]) {
        state.withLock { $0.map = InstanceMap(version: $0.map.version + 1, owners: owners) }
    }

    var own: TrackerInstance? { state.withLock { $0.own } }
    var map: InstanceMap { state.withLock { $0.map } }

    func refreshed(after version: Int, isPatient: Bool) async -> InstanceMap { map }
}

/// Has the payloads whose id ends with its partition's digit; those that begin with `unknown` it does not know, and those that begin
/// with `open` stay open.
private struct OnePartition: PayloadReader {
    let partition: Int32
    let url: OwnURL

    func document(_ id: PayloadID, takesStale: Bool) async throws(ReadFailure) -> LocatedDocument {
        let document = PayloadDocument(try state(id), rules: PayloadRules())
        return LocatedDocument(document: document, partition: partition, servedBy: url.text)
    }

    func statuses(_ id: PayloadID, limit: Int?, takesStale: Bool) async throws(ReadFailure) -> LocatedStatuses {
        LocatedStatuses(data: PayloadDocument.statuses(of: try state(id), limit: limit, rules: PayloadRules()))
    }

    private func state(_ id: PayloadID) throws(ReadFailure) -> PayloadState {
        let text = "\(id)"
        let wanted = text.last.flatMap { $0.wholeNumberValue }.map { Int32($0) } ?? 0
        if wanted != partition { throw .elsewhere(partition: wanted) }
        if text.hasPrefix("unknown") { throw .unknown(id, stalenessRecords: nil) }
        return PayloadState(
            id: id,
            stages: [],
            attributes: Attributes(),
            trimmedThrough: nil,
            outcome: text.hasPrefix("open") ? .open : .failed,
            revision: 1,
            changedAt: .init(microseconds: 1)
        )
    }
}

private struct NoPartitions: PartitionReader {
    func partitions() async throws(ReadFailure) -> PartitionsDocument { PartitionsDocument(data: [], input: []) }
}

private struct AlwaysHealthy: HealthReporter {
    let health = HealthReport(healthy: true, problems: [])
    let readiness = ReadinessReport(ready: true, waitingFor: [])
}

/// What these tests do not ask.
private struct NothingElse: PayloadListReader, SummaryReader, PayloadWatcher, OutcomeSource {
    private static let failure = ReadFailure.noOwner(partition: nil, reason: "not asked here", retryAfterSeconds: 1)

    func page(_ request: PageRequest) throws(ReadFailure) -> PayloadPage { throw NothingElse.failure }
    func summary() throws(ReadFailure) -> SummaryPart { throw NothingElse.failure }
    func changes(of id: PayloadID) -> AsyncStream<Void> { AsyncStream { $0.finish() } }

    func subscribe(from position: OutcomePosition?) throws(SubscriptionFailure) -> any OutcomeSubscription {
        throw .unavailable(reason: "not asked here", retryAfterSeconds: 1)
    }
}
