import CRocksDB

/// What went wrong in a store, as one line a person can act on.
public struct StoreError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What a caller may decide by.
    public enum Kind: String, Sendable, Hashable {
        /// A file of the database is damaged or missing.
        case corruption = "corrupted"
        /// Another process, or another `Database` of this one, has the directory open.
        case locked = "locked by another open database"
        /// The disk or the quota is full.
        case noSpace = "no space left"
        /// This user may not write here, or the file system is mounted read-only.
        case readOnly = "not writable"
        /// Any other failure of the file system.
        case io = "input/output error"
        /// The database holds column families or a format that this program does not know.
        case incompatible = "incompatible"
        /// The call itself is wrong: an unknown column family, a snapshot of another database, a path that is a file.
        case invalidArgument = "invalid argument"
        /// The `Database` was closed.
        case closed = "closed"
    }

    /// What kind of failure this is.
    public let kind: Kind
    /// The database's directory.
    public let path: String
    /// RocksDB's own message where there is one.
    public let detail: String

    /// One line: the directory, the kind, the detail.
    public var description: String {
        "store \(path): \(kind.rawValue): \(detail)"
    }

    package init(_ kind: Kind, path: String, _ detail: String) {
        self.kind = kind
        self.path = path
        self.detail = detail
    }

    init(message: String, path: String) {
        self.init(Self.kind(of: message), path: path, message.split(whereSeparator: \.isNewline).joined(separator: " "))
    }

    /// The C API gives text only (`Status::ToString`), with the errno's text inside.
    private static func kind(of message: String) -> Kind {
        let signs: [(String, Kind)] = [
            ("lock hold by current process", .locked),
            ("While lock file", .locked),
            ("No space left on device", .noSpace),
            ("Disk quota exceeded", .noSpace),
            ("Read-only file system", .readOnly),
            ("Permission denied", .readOnly),
            ("Column families not opened", .incompatible),
            ("does not match existing comparator", .incompatible),
        ]
        if let sign = signs.first(where: { message.contains($0.0) }) { return sign.1 }
        let codes: [(String, Kind)] = [
            ("Corruption", .corruption),
            ("Not implemented", .incompatible),
            ("Invalid argument", .invalidArgument),
            ("Shutdown in progress", .closed),
        ]
        return codes.first { message.hasPrefix($0.0) }?.1 ?? .io
    }

    /// Runs a C call that reports failure through RocksDB's `char** errptr`.
    static func check<R>(
        path: String,
        _ call: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R
    ) throws(StoreError) -> R {
        var message: UnsafeMutablePointer<CChar>?
        let result = call(&message)
        guard let message else { return result }
        defer { rocksdb_free(message) }
        throw StoreError(message: String(cString: message), path: path)
    }
}
