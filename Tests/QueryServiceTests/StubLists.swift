import PayloadModel
import QueryService
import Synchronization

/// A reader of lists that holds some payloads, and remembers what it was asked.
final class StubLists: PayloadListReader {
    private let states: [Entry]
    private let failure: ReadFailure?
    private let missing: [Int32]
    private let partition: Int32
    private let standbys: [Int32: (staleness: Int64, states: [PayloadState])]
    private let asked = Mutex<[PageRequest]>([])

    private typealias Entry = (position: ListPosition, partition: Int32, state: PayloadState)

    private static func sorted(_ states: [(partition: Int32, state: PayloadState)]) -> [Entry] {
        states.compactMap { partition, state in
            state.updatedAt.map { (ListPosition(updatedAt: $0, id: state.id), partition, state) }
        }
        .sorted { $0.position < $1.position }
    }

    /// - Parameters:
    ///   - partition: of all of them.
    ///   - missing: the partitions that it says it does not have.
    ///   - standbys: what it holds of those partitions as a standby.
    ///   - failure: what it answers instead.
    init(
        _ states: [PayloadState] = [],
        partition: Int32 = 3,
        missing: [Int32] = [],
        standbys: [Int32: (staleness: Int64, states: [PayloadState])] = [:],
        failure: ReadFailure? = nil
    ) {
        self.states = StubLists.sorted(states.map { (partition, $0) })
        self.standbys = standbys
        self.failure = failure
        self.missing = missing
        self.partition = partition
    }

    var requests: [PageRequest] { asked.withLock { $0 } }

    func page(_ request: PageRequest) async throws(ReadFailure) -> PayloadPage {
        asked.withLock { $0.append(request) }
        if let failure { throw failure }
        let standbys = request.takesStale ? standbys : [:]
        let copies = standbys.flatMap { partition, standby in standby.states.map { (partition, $0) } }
        let all = StubLists.sorted(states.map { ($0.partition, $0.state) } + copies)
        let rest = all.filter { entry in request.start.map { $0 < entry.position } ?? true }
        let page = rest.prefix(request.limit)
        let items = page.map { entry in
            LocatedDocument(
                document: PayloadDocument(entry.state, rules: PayloadRules(), showsStages: false),
                partition: entry.partition,
                servedBy: "http://tracker-0:8080"
            )
        }
        let next = rest.count > page.count ? page.last?.position : nil
        return PayloadPage(
            items: items,
            next: next,
            missing: missing.filter { standbys[$0] == nil },
            standbys: standbys.mapValues(\.staleness)
        )
    }
}
