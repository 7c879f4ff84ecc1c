import CRocksDB
import CRocksMemory
import Dispatch
import Foundation
import Synchronization

// Unchecked: everything is a `let`, the flag is atomic, and RocksDB lets any threads use a database, its column family
// handles and (unchanged) options at once.

/// The C handles of an open database. Whoever uses them holds a reference, and the last reference closes the database:
/// that is how `Database.close()` can come while others read.
final class OpenDatabase: @unchecked Sendable {
    let path: String
    let pointer: OpaquePointer
    let readOptions: OpaquePointer
    private let options: NativeOptions
    private let families: [Family]
    private let released: DispatchSemaphore

    private struct Family {
        var name: String
        var handle: OpaquePointer
        var options: NativeOptions
    }

    /// Set by `Database.close()`, for iterators, which hold on to this object between calls.
    let isClosed = Atomic<Bool>(false)

    /// - Parameter released: is signalled when the database is closed and its directory unlocked.
    init(
        path: String,
        families requested: [ColumnFamily],
        memory: StoreMemory,
        options: DatabaseOptions,
        released: DispatchSemaphore
    ) throws(StoreError) {
        // RocksDB insists on opening this one.
        let hasDefault = requested.contains { $0.name == "default" }
        let all = hasDefault ? requested : [ColumnFamily("default")] + requested
        let native = NativeOptions(options, memory: memory)
        let familyOptions = all.map { NativeOptions(options, family: $0, memory: memory) }
        let names = all.map(\.name)
        let nativeNames = names.map { strdup($0) }
        defer { nativeNames.forEach { free($0) } }
        var handles = [OpaquePointer?](repeating: nil, count: all.count)

        let opened: OpaquePointer?
        do throws(StoreError) {
            defer { withExtendedLifetime((native, familyOptions)) {} }
            opened = try StoreError.check(path: path) { error in
                rocksdb_open_column_families(
                    native.pointer,
                    path,
                    Int32(all.count),
                    nativeNames.map { UnsafePointer($0) },
                    familyOptions.map { $0.pointer },
                    &handles,
                    error
                )
            }
        } catch  where error.kind == .io && error.detail.contains("No such file or directory") {
            // The directory is there, so this is a file that the database says it has.
            throw StoreError(.corruption, path: path, error.detail)
        }
        guard let opened else { throw StoreError(.io, path: path, "RocksDB gave neither a database nor an error") }
        self.path = path
        self.pointer = opened
        self.readOptions = rocksdb_readoptions_create()
        self.options = native
        self.families = zip(zip(names, handles), familyOptions).compactMap { named, options in
            named.1.map { Family(name: named.0, handle: $0, options: options) }
        }
        self.released = released
    }

    deinit {
        for family in families { rocksdb_column_family_handle_destroy(family.handle) }
        rocksdb_readoptions_destroy(readOptions)
        rocksdb_close(pointer)
        released.signal()
    }

    func handle(of family: ColumnFamily) throws(StoreError) -> OpaquePointer { try open(family).handle }

    /// What the column family was opened with, for table files that are to belong to it.
    func options(of family: ColumnFamily) throws(StoreError) -> NativeOptions { try open(family).options }

    private func open(_ family: ColumnFamily) throws(StoreError) -> Family {
        // A database has a handful of column families: looking along them is quicker than hashing.
        guard let found = families.first(where: { $0.name == family.name }) else {
            throw StoreError(.invalidArgument, path: path, "column family \(family.name) is not open")
        }
        return found
    }

    var familyHandles: [OpaquePointer?] {
        families.map(\.handle)
    }

    var counters: crocks_counters {
        crocks_counters_read(options.pointer)
    }

    func check<R>(_ call: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R) throws(StoreError) -> R {
        try StoreError.check(path: path, call)
    }
}
