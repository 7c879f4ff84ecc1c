import NIOPosix
import PayloadModel
import PayloadTopology
import QueryService
import RocksStore
import StreamRuntime

/// Lists of payloads from the stores of this process's tasks.
struct StoreListReader: PayloadListReader {
    private let application: StreamApplication
    private let topic: String
    private let rules: PayloadRules
    private let url: OwnURL

    init(_ application: StreamApplication, settings: Settings, url: OwnURL) {
        self.application = application
        topic = PayloadTopology.payloadTopic(settings.topics, isInputKeyed: settings.inputKeyedByPayloadID)
        rules = settings.rules
        self.url = url
    }

    func page(_ request: PageRequest) async throws(ReadFailure) -> PayloadPage {
        guard let count = application.topics?[topic]?.partitionCount else {
            throw .noOwner(partition: nil, reason: "the worker has not reached Kafka yet", retryAfterSeconds: 5)
        }
        var stores = application.tasks.stores(topic: topic)
        var lags: [Int32: Int64] = [:]
        if request.takesStale {
            for (partition, standby) in application.standbys.standbys(topic: topic)
            where standby.progress.isComplete && stores[partition] == nil {
                stores[partition] = standby.store
                lags[partition] = standby.progress.lag
            }
        }
        let page = try await read(request, stores)
        let servedBy = url.text
        let items = page.items.map {
            LocatedDocument(
                document: PayloadDocument($0.state, rules: rules, showsStages: false),
                partition: $0.partition,
                servedBy: servedBy
            )
        }
        return PayloadPage(
            items: items,
            next: page.next,
            missing: (0..<count).filter { stores[$0] == nil },
            standbys: lags
        )
    }

    /// On a thread that may wait for the disk.
    private func read(_ request: PageRequest, _ stores: [Int32: Database]) async throws(ReadFailure) -> PayloadList.Page
    {
        do {
            return try await NIOThreadPool.singleton.runIfActive {
                try PayloadList.page(of: stores, request.filter, after: request.start, limit: request.limit)
            }
        } catch let error as StreamError {
            if case .store(let error) = error, error.kind == .closed {
                throw .noOwner(partition: nil, reason: "a partition has just moved", retryAfterSeconds: 1)
            }
            throw .store("\(error)")
        } catch {
            throw .store("\(error)")
        }
    }
}
