/// A named key space of a database, and how RocksDB stores it. Keys are ordered by their bytes.
public struct ColumnFamily: Hashable, Sendable {
    /// How RocksDB compresses blocks: `lz4` is quick, `zstd` small.
    public enum Compression: Hashable, Sendable {
        case none, lz4, zstd
    }

    /// Its name in the database; calls find an open column family by it alone.
    public var name: String
    /// Bits of Bloom filter a key; with 10, about 1 % of absent keys cost a needless read. `nil` where gets are rare.
    public var bloomBitsPerKey: Double?
    /// How blocks are compressed on disk.
    public var compression: Compression
    /// Size of a block before compression: the least that is read from disk.
    public var blockBytes: Int

    /// A column family with defaults for small values that are read one by one.
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
