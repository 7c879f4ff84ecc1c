import RocksStore

/// RocksDB's own figures, summed over the stores of the process: those of running tasks, of standbys, and those that were left lately.
public struct StoreFigures: Sendable {
    public var openStores: Int
    /// Since the process began: stores that are closed count, too.
    public var statistics: StoreStatistics
    /// Of the budget that all stores share: block cache and write buffers.
    public var memoryUsedBytes: Int
    /// What compactions have yet to rewrite, as RocksDB estimates it.
    public var pendingCompactionBytes: UInt64 = 0
    /// Of keys that are not deleted or replaced, as RocksDB estimates it.
    public var liveDataBytes: UInt64 = 0
    /// Of all table files on the disk.
    public var tableFileBytes: UInt64 = 0

    init(openStores: Int, statistics: StoreStatistics, memoryUsedBytes: Int) {
        self.openStores = openStores
        self.statistics = statistics
        self.memoryUsedBytes = memoryUsedBytes
    }

    /// A store that has been closed meanwhile adds nothing.
    mutating func add(_ store: Database) {
        func total(_ name: String) -> UInt64 { (try? store.totalProperty("rocksdb.\(name)")) ?? 0 }
        pendingCompactionBytes += total("estimate-pending-compaction-bytes")
        liveDataBytes += total("estimate-live-data-size")
        tableFileBytes += total("total-sst-files-size")
    }
}
