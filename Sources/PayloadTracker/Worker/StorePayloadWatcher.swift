import PayloadModel
import PayloadTopology
import QueryService

/// Tells of what the tasks of this process commit.
struct StorePayloadWatcher: PayloadWatcher {
    let waiters: PayloadWaiters

    func changes(of id: PayloadID) -> AsyncStream<Void> { waiters.changes(of: id) }
}
