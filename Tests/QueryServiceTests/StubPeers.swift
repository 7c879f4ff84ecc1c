import HTTPTypes
import NIOCore
import QueryService
import Synchronization

/// A directory that shows the given maps in turn, one more with each refresh, the last one for ever.
final class StubDirectory: InstanceDirectory {
    let own: TrackerInstance?
    private let maps: [InstanceMap]
    private let refreshed = Mutex<[Bool]>([])

    /// - Parameter standbys: of all maps.
    init(
        _ maps: [[Int32: TrackerInstance]],
        own: TrackerInstance? = .zero,
        standbys: [Int32: [TrackerInstance]] = [:]
    ) {
        self.own = own
        self.maps = maps.enumerated().map { index, owners in
            InstanceMap(
                version: index + 1,
                instances: Set(owners.values).union(standbys.values.joined()).sorted { $0.name < $1.name },
                owners: owners,
                standbys: standbys
            )
        }
    }

    /// For each refresh, whether it was a patient one.
    var refreshes: [Bool] { refreshed.withLock { $0 } }

    var map: InstanceMap { maps[min(refreshes.count, maps.count - 1)] }

    func refreshed(after version: Int, isPatient: Bool) async -> InstanceMap {
        refreshed.withLock { $0.append(isPatient) }
        return map
    }
}

/// Other instances that answer as they are told to.
final class StubPeerClient: PeerClient {
    struct Request: Sendable {
        let url: String
        let headers: HTTPFields
        let timeout: Duration
    }

    typealias Answer = @Sendable (Request) async throws(PeerFailure) -> PeerAnswer

    private let answer: Answer
    private let asked = Mutex<[Request]>([])

    init(_ answer: @escaping Answer) { self.answer = answer }

    convenience init(_ statuses: [String: HTTPResponse.Status]) {
        self.init { request throws(PeerFailure) in
            for (root, status) in statuses where request.url.hasPrefix(root) {
                return PeerAnswer(status: status, headers: [:], body: ByteBuffer(string: root))
            }
            throw .unreachable("connection refused")
        }
    }

    var requests: [Request] { asked.withLock { $0 } }

    func get(_ url: String, headers: HTTPFields, timeout: Duration) async throws(PeerFailure) -> PeerAnswer {
        let request = Request(url: url, headers: headers, timeout: timeout)
        asked.withLock { $0.append(request) }
        return try await answer(request)
    }
}

extension TrackerInstance {
    /// The one that is asked in these tests.
    static let zero = TrackerInstance(name: "tracker-0", url: "http://tracker-0:8080")
    static let one = TrackerInstance(name: "tracker-1", url: "http://tracker-1:8080")
    static let two = TrackerInstance(name: "tracker-2", url: "http://tracker-2:8080")
}

extension StubReader {
    /// Has no payload of its own.
    static var elsewhere: StubReader {
        StubReader { (_, _) throws(ReadFailure) in throw .elsewhere(partition: 3) }
    }
}
