import Foundation

/// What has to be true of a database's directory before RocksDB may have it.
enum StoreDirectory {
    /// Checks the path, and makes the directory with those above it when asked: RocksDB makes only the last one.
    static func prepare(_ path: String, create: Bool) throws(StoreError) {
        try checkPath(path)
        if create { try makeDirectories(path) }
        // RocksDB would start an empty database here, at the second try at the latest, and delete the old one's files.
        let files = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        if files.contains(where: { $0.hasSuffix(".sst") }), !files.contains("CURRENT") {
            throw StoreError(.corruption, path: path, "table files without the file CURRENT")
        }
    }

    /// A path that C would cut short must not name another directory.
    static func checkPath(_ path: String) throws(StoreError) {
        if path.isEmpty || path.utf8.contains(0) {
            throw StoreError(.invalidArgument, path: path, "not a path")
        }
    }

    private static func makeDirectories(_ path: String) throws(StoreError) {
        var end = path.startIndex
        while end < path.endIndex {
            end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
            let directory = String(path[..<end])
            if mkdir(directory, 0o777) == 0 { continue }
            guard errno == EEXIST else {
                throw StoreError(message: "mkdir \(directory): \(String(cString: strerror(errno)))", path: path)
            }
        }
        var isDirectory: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory.boolValue {
            throw StoreError(.invalidArgument, path: path, "a file, not a directory")
        }
    }
}
