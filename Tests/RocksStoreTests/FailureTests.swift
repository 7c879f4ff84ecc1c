import Foundation
import RocksStore
import Testing

@Suite("Failures")
struct FailureTests {
    let store = TemporaryStore()
    let data = TemporaryStore.data
    let index = TemporaryStore.index

    private func expectError(_ kind: StoreError.Kind, naming text: String, _ body: () throws -> Void) {
        let error = #expect(throws: StoreError.self, performing: body)
        #expect(error?.kind == kind, "\(error?.description ?? "")")
        #expect(error?.description.contains(text) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("\n") == false)
    }

    @Test("a second open of a directory says it is locked, and the first goes on")
    func locked() throws {
        let first = try store.open()
        expectError(.locked, naming: store.path) { _ = try store.open() }
        try first.put(data, "a", "1")
        #expect(try first.get(data, "a") == "1")
    }

    @Test("another process's lock is told too")
    func lockedByAnotherProcess() async throws {
        let database = try store.open()
        await #expect(processExitsWith: .success) { [path = store.path as String] in
            let child = TemporaryStore()
            let error = #expect(throws: StoreError.self) { try child.open(path) }
            #expect(error?.kind == .locked)
        }
        try database.put(data, "a", "1")
    }

    @Test("a damaged table file is corruption and not a wrong value")
    func damagedTable() throws {
        let database = try store.open(families: [data, index])
        let batch = WriteBatch(database)
        for number in UInt8(0)..<200 { try batch.put(data, key: [number], value: Array(repeating: number, count: 500)) }
        try database.write(batch)
        try database.flush()
        database.close()
        let table = try #require(try store.files { $0.hasSuffix(".sst") }.first)
        try overwrite(table, at: 100, with: Data(repeating: 0xA5, count: 64))

        let reopened = try store.open()
        expectError(.corruption, naming: store.path) { _ = try reopened.value(data, forKey: [0]) }
        expectError(.corruption, naming: store.path) { _ = try reopened.values(data, forKeys: [[0], [1]]) }
        expectError(.corruption, naming: store.path) { _ = try reopened.keys(data) }
    }

    @Test("a missing or shortened file is corruption when the store opens", arguments: [".sst", "MANIFEST", "CURRENT"])
    func missingFile(name: String) throws {
        let database = try store.open()
        try database.put(data, "a", "1")
        try database.flush()
        database.close()
        let file = try #require(try store.files { $0.contains(name) }.first)
        let handle = try #require(FileHandle(forWritingAtPath: file))
        try handle.truncate(atOffset: 10)
        try handle.close()
        expectError(.corruption, naming: store.path) { _ = try store.open() }
        try FileManager.default.removeItem(atPath: file)
        for _ in 0..<2 {  // trying again must not make an empty store of it
            expectError(.corruption, naming: store.path) { _ = try store.open() }
        }
    }

    @Test("a damaged MANIFEST is corruption")
    func damagedManifest() throws {
        let database = try store.open()
        try database.put(data, "a", "1")
        try database.flush()
        database.close()
        let manifest = try #require(try store.files { $0.contains("MANIFEST") }.first)
        try overwrite(manifest, at: 0, with: Data(repeating: 0xA5, count: 40))
        expectError(.corruption, naming: store.path) { _ = try store.open() }
    }

    @Test("a column family on disk that the program does not know is incompatible, and named")
    func unknownFamily() throws {
        try store.open(families: [data, index]).close()
        expectError(.incompatible, naming: "index") { _ = try store.open(families: [data]) }
        try store.open(families: [data, index, ColumnFamily("third")]).close()
    }

    @Test("a file where the directory should be is told as such")
    func notADirectory() throws {
        try FileManager.default.createDirectory(atPath: store.directory, withIntermediateDirectories: true)
        try Data().write(to: URL(filePath: store.path))
        expectError(.invalidArgument, naming: "not a directory") { _ = try store.open() }
        expectError(.io, naming: "Not a directory") { _ = try store.open(store.path + "/below") }
        for path in ["", "a\0b"] {
            expectError(.invalidArgument, naming: "not a path") { _ = try store.open(path) }
        }
    }

    @Test("a directory that may not be written to says so, whether the store is in it or not")
    func notWritable() async throws {
        try store.open().close()
        await #expect(processExitsWith: .success) { [path = store.path as String] in
            chmod(path, 0o555)
            chmod(path + "/LOCK", 0o444)
            // The superuser may write anywhere.
            if geteuid() == 0 { seteuid(65534) }
            let child = TemporaryStore()
            for path in [path, path + "/new"] {
                let error = #expect(throws: StoreError.self) { try child.open(path) }
                #expect(error?.kind == .readOnly, "\(error?.description ?? "")")
            }
            seteuid(getuid())
            chmod(path, 0o755)
        }
    }

    @Test(
        "a disk that takes no more is an error of the flush; reads, close and the next open go on, and nothing flushed is lost"
    )
    func fullDisk() async throws {
        try store.open().close()
        await #expect(processExitsWith: .success) { [path = store.path as String] in
            // Stands in for a full disk: no file of this process may grow.
            func limitFiles(to bytes: rlim_t) {
                var limit = rlimit(rlim_cur: bytes, rlim_max: .max)
                #expect(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            }
            signal(SIGXFSZ, SIG_IGN)
            let child = TemporaryStore()
            let data = TemporaryStore.data
            let database = try child.open(path)
            try database.put(data, "before", "1")
            try database.flush()
            limitFiles(to: 0)
            for _ in 0..<3 {
                // Until the first flush there is room in memory.
                _ = try? database.put(data, "during", "1")
                #expect(#expect(throws: StoreError.self) { try database.flush() }?.kind == .io)
            }
            #expect(try database.get(data, "before") == "1")
            #expect(database.close())
            #expect(throws: StoreError.self) { try child.open(path) }
            limitFiles(to: .max)
            let reopened = try child.open(path)
            #expect(try reopened.keys(data) == ["before"])
            try reopened.put(data, "after", "1")
        }
    }

    @Test("a store that should be there and is not is an error, and nothing is made")
    func missing() throws {
        #expect(throws: StoreError.self) { try store.open(options: DatabaseOptions(createIfMissing: false)) }
        #expect(!FileManager.default.fileExists(atPath: store.path))
    }

    @Test("a wrong call is an error and not a crash")
    func wrongCalls() throws {
        let database = try store.open()
        let other = try store.open(store.directory + "/other")
        expectError(.invalidArgument, naming: "unknown") { _ = try database.get(ColumnFamily("unknown"), "a") }
        expectError(.invalidArgument, naming: "/other") { try database.write(WriteBatch(other)) }
        expectError(.invalidArgument, naming: "/other") {
            _ = try database.get(data, "a", snapshot: other.snapshot())
        }
        expectError(.invalidArgument, naming: "/other") {
            _ = try database.makeIterator(data, snapshot: other.snapshot())
        }
        expectError(.invalidArgument, naming: "distinct") { _ = try store.open(families: [data, data]) }
        expectError(.invalidArgument, naming: "not a path") { try database.checkpoint(at: "") }
    }

    private func overwrite(_ file: String, at offset: UInt64, with bytes: Data) throws {
        let handle = try #require(FileHandle(forUpdatingAtPath: file))
        try handle.seek(toOffset: offset)
        try handle.write(contentsOf: bytes)
        try handle.close()
    }
}
