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
    private let demand: ListDemand

    init(_ application: StreamApplication, settings: Settings, url: OwnURL, demand: ListDemand) {
        self.application = application
        topic = PayloadTopology.payloadTopic(settings.topics, isInputKeyed: settings.inputKeyedByPayloadID)
        rules = settings.rules
        self.url = url
        self.demand = demand
    }

    func page(_ request: PageRequest) async throws(ReadFailure) -> PayloadPage {
        guard let count = application.topics?[topic]?.partitionCount else {
            throw .noOwner(partition: nil, reason: "the worker has not reached Kafka yet", retryAfterSeconds: 5)
        }
        demand.asked()
        let (found, page) = try await StoreReading.readAll {
            stores(request)
        } _: { found in
            try PayloadList.page(of: found.stores, request.filter, after: request.start, limit: request.limit)
        }
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
            missing: (0..<count).filter { found.stores[$0] == nil },
            standbys: found.lags
        )
    }

    private func stores(_ request: PageRequest) -> (stores: [Int32: Database], lags: [Int32: Int64]) {
        var stores = application.tasks.stores(topic: topic)
        var lags: [Int32: Int64] = [:]
        if request.takesStale {
            for (partition, standby) in application.standbys.standbys(topic: topic)
            where standby.progress.isComplete && stores[partition] == nil {
                stores[partition] = standby.store
                lags[partition] = standby.progress.lag
            }
        }
        return (stores, lags)
    }
}
