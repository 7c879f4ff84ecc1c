import Foundation
import RocksStore
import Testing

@Suite("Table files")
struct TableFileTests {
    let store = TemporaryStore()
    let data = TemporaryStore.data
    let index = TemporaryStore.index

    private func write(_ entries: [(String, String?)], _ database: Database, _ family: ColumnFamily, to path: String)
        throws
    {
        let writer = try TableFileWriter(database, family, path: path)
        for (key, value) in entries {
            try Array(key.utf8).withUnsafeBytes { key in
                if let value {
                    try Array(value.utf8).withUnsafeBytes { try writer.put(key: key, value: $0) }
                } else {
                    try writer.delete(key: key)
                }
            }
        }
        try writer.finish()
        #expect(writer.byteCount > 0)
    }

    @Test("what is taken in replaces what is there, later files earlier ones, and survives a reopen")
    func ingest() throws {
        let paths = ["a", "b", "c"].map { "\(store.directory)/\($0).sst" }
        let first = try store.open()
        for (key, value) in ["1": "old", "2": "old", "4": "old"] { try first.put(data, key, value) }
        try first.put(index, "1", "other family")
        try write([("1", "new"), ("3", "new")], first, data, to: paths[0])
        try write([("2", nil), ("3", "newer")], first, data, to: paths[1])
        try write([("9", "index")], first, index, to: paths[2])
        try first.ingest(Array(paths[..<2]), into: data)
        try first.ingest([paths[2]], into: index)
        try first.ingest([], into: index)
        #expect(paths.allSatisfy { !FileManager.default.fileExists(atPath: $0) }, "the files are moved")
        try first.put(data, "5", "after")
        func check(_ database: Database) throws {
            #expect(try database.keys(data) == ["1", "3", "4", "5"])
            #expect(try database.get(data, "1") == "new")
            #expect(try database.get(data, "3") == "newer")
            #expect(try database.get(data, "4") == "old")
            #expect(try database.keys(index) == ["1", "9"])
        }
        try check(first)
        #expect(first.close())
        let second = try store.open()
        try check(second)
        try second.compact(data)
        try check(second)
    }

    @Test("a snapshot does not see what was taken in after it")
    func snapshot() throws {
        let database = try store.open()
        try database.put(data, "1", "old")
        let before = try database.snapshot()
        try write([("1", "new"), ("2", "new")], database, data, to: "\(store.directory)/a.sst")
        try database.ingest(["\(store.directory)/a.sst"], into: data)
        #expect(try database.keys(data, snapshot: before) == ["1"])
        #expect(try database.get(data, "1", snapshot: before) == "old")
        #expect(try database.get(data, "1") == "new")
    }

    @Test("keys that are not in their order, files that are not there and families that are not open are errors")
    func errors() throws {
        let database = try store.open()
        let path = "\(store.directory)/a.sst"
        let wrongOrder = #expect(throws: StoreError.self) {
            try write([("2", "b"), ("1", "a")], database, data, to: path)
        }
        #expect(wrongOrder?.kind == .invalidArgument && wrongOrder?.path == store.path)
        let missing = #expect(throws: StoreError.self) {
            try database.ingest(["\(store.directory)/none.sst"], into: data)
        }
        #expect(missing?.path == store.path)
        #expect(throws: StoreError.self) {
            try TableFileWriter(database, ColumnFamily("none"), path: path)
        }
        #expect(throws: StoreError.self) {
            try TableFileWriter(database, data, path: "\(store.directory)/none/a.sst")
        }
    }

    @Test("a database that does not compact keeps its files, and the last of them wins")
    func notCompacting() throws {
        let database = try store.open(options: DatabaseOptions(compacts: false))
        for number in 0..<20 {
            try write([("1", "\(number)"), ("k\(number)", "")], database, data, to: "\(store.directory)/a.sst")
            try database.ingest(["\(store.directory)/a.sst"], into: data)
        }
        #expect(try store.files { $0.hasSuffix(".sst") }.count == 20)
        #expect(try database.get(data, "1") == "19")
        #expect(try database.keys(data).count == 21)
    }
}
