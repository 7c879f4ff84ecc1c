import CRocksDB
import Dispatch
import Synchronization

/// A RocksDB database: ordered byte keys and values in column families, written in atomic batches.
///
/// Thread-safe: any threads may read and write at once. Iterators and batches belong to one thread each. Every call
/// may read or wait for the disk, so none belongs on Swift's cooperative pool where that matters. Errors are
/// `StoreError`.
public final class Database: Sendable {
    /// The database's directory.
    public let path: String
    /// The budget that it was opened with.
    public let memory: StoreMemory
    private let current: Mutex<OpenDatabase?>
    private let released = DispatchSemaphore(value: 0)

    /// Opens the database and locks its directory.
    ///
    /// - Parameters:
    ///   - path: its directory.
    ///   - columnFamilies: all that the database has; one on disk that is not named here is `.incompatible`.
    ///   - memory: the budget, shared by all stores of the process.
    public init(
        path: String,
        columnFamilies: [ColumnFamily],
        memory: StoreMemory,
        options: DatabaseOptions = DatabaseOptions()
    ) throws(StoreError) {
        let names = columnFamilies.map(\.name)
        if Set(names).count < names.count || names.contains(where: { $0.isEmpty || $0.utf8.contains(0) }) {
            throw StoreError(.invalidArgument, path: path, "column families need distinct names")
        }
        try StoreDirectory.prepare(path, create: options.createIfMissing)
        let open = try OpenDatabase(
            path: path,
            families: columnFamilies,
            memory: memory,
            options: options,
            released: released
        )
        self.path = path
        self.memory = memory
        self.current = Mutex(open)
    }

    /// Closes the database: calls that run finish, later ones throw `.closed`, and so do iterators when they move next.
    ///
    /// The directory stays locked until the last call, iterator and snapshot is gone. Idempotent; dropping the last
    /// reference to a `Database` closes it too. Unlogged writes are flushed.
    ///
    /// - Parameter timeout: how long to wait for those readers. Don't wait on a thread that holds one itself.
    /// - Returns: whether the directory is unlocked.
    @discardableResult
    public func close(waitingForReaders timeout: Duration = .zero) -> Bool {
        takeCurrent()
        guard released.wait(timeout: .now() + timeout / .seconds(1)) == .success else { return false }
        released.signal()  // for the next caller
        return true
    }

    private func takeCurrent() {
        // Released outside the mutex: that is what closes RocksDB, and it takes its time.
        let open = current.withLock { $0.take() }
        open?.isClosed.store(true, ordering: .releasing)
    }

    /// Deletes a database that nobody has open, with its directory unless it holds other files. A missing one is no
    /// error.
    public static func destroy(path: String) throws(StoreError) {
        try StoreDirectory.checkPath(path)
        let options = rocksdb_options_create()
        defer { rocksdb_options_destroy(options) }
        try StoreError.check(path: path) { rocksdb_destroy_db(options, path, $0) }
    }

    /// Stops RocksDB from counting comparisons and the like for the calling thread, as it does unless it is told otherwise: nobody reads
    /// these counts, and they take several percent of a thread that writes.
    public static func stopCountingForThread() { rocksdb_set_perf_level(Int32(rocksdb_disable)) }

    func opened() throws(StoreError) -> OpenDatabase {
        guard let open = current.withLock({ $0 }) else {
            throw StoreError(.closed, path: path, "the database was closed")
        }
        return open
    }

    /// Keeps the C handles alive while `body` runs, whoever closes the database meanwhile.
    func withOpen<R: ~Copyable>(_ body: (OpenDatabase) throws(StoreError) -> R) throws(StoreError) -> R {
        let open = try opened()
        defer { withExtendedLifetime(open) {} }
        return try body(open)
    }
}
