/// How a database is opened.
public struct DatabaseOptions: Hashable, Sendable {
    /// Makes the directory, the database and its column families when they are missing.
    public var createIfMissing: Bool

    /// Size at which one column family's memtable is flushed; `StoreMemory` may flush it earlier.
    public var writeBufferBytes: Int

    /// Flushes and compactions of this database that run at once. The threads are shared by all databases of the
    /// process.
    public var maxBackgroundJobs: Int

    /// Table files of this database that are kept open.
    public var maxOpenFiles: Int

    /// Merges table files in the background. Without it files stay as they were written or taken in, for a database that is filled, read
    /// once and destroyed.
    public var compacts: Bool

    /// The defaults suit many small stores in one process.
    public init(
        createIfMissing: Bool = true,
        writeBufferBytes: Int = 16 << 20,
        maxBackgroundJobs: Int = 2,
        maxOpenFiles: Int = 256,
        compacts: Bool = true
    ) {
        self.createIfMissing = createIfMissing
        self.writeBufferBytes = writeBufferBytes
        self.maxBackgroundJobs = maxBackgroundJobs
        self.maxOpenFiles = maxOpenFiles
        self.compacts = compacts
    }
}
