/// A named key space of a database, and how RocksDB stores it. Keys are ordered by their bytes.
public struct ColumnFamily: Hashable, Sendable {
    public enum Compression: Hashable, Sendable {
        case none, lz4, zstd
    }

    public var name: String
    /// Bits of Bloom filter a key; 10 make about 1 % of needless reads of absent keys. `nil` where absent keys are never asked for.
    public var bloomBitsPerKey: Double?
    /// How blocks are compressed on disk.
    public var compression: Compression
    /// Size of a block before compression: the least that is read from disk.
    public var blockBytes: Int

    public init(
        _ name: String,
        bloomBitsPerKey: Double? = 10,
        compression: Compression = .lz4,
        blockBytes: Int = 16 << 10
    ) {
        self.name = name
        self.bloomBitsPerKey = bloomBitsPerKey
        self.compression = compression
        self.blockBytes = blockBytes
    }
}
