import Foundation
import KafkaClient
import RocksStore
import Testing

@testable import StreamRuntime

/// What stores and state directories of versions before this one say of themselves has to be understood.
///
/// A failure here means that this has changed. If that is meant: keep the old text, which has to be understood as before, beside today's, or
/// have old stores rebuilt (`PayloadStore.formatVersion`, `StateDirectory`'s layout version), and say in docs/operations.md ("Upgrades") what
/// an upgrade needs.
@Suite struct StoredFormatTests {
    private static let meta = ColumnFamily("meta")
    private let path = FileManager.default.temporaryDirectory.appending(path: "format-\(UUID().uuidString)").path
    private let memory = StoreMemory(blockCacheBytes: 8 << 20, writeBufferBytes: 8 << 20)
    private let state = Topology.State(
        changelog: "tracker-payload-changelog",
        columnFamilies: [],
        formatVersion: 2,
        changelogReader: CopyingReader()
    )
    private let identity = StateStore.Identity(
        application: "tracker",
        formatVersion: 2,
        partition: TopicPartition(topic: "tracker-payload-changelog", partition: 1),
        partitionCount: 3
    )

    private static let identityText =
        "application tracker, format 2, changelog tracker-payload-changelog, partition 1 of 3"

    @Test(
        "the place in the changelog that a store stands for is understood",
        arguments: [
            ("41", 41, false, nil), ("41 transaction", 41, true, nil), ("41 @1704164645", 41, false, 1_704_164_645),
            ("41 transaction @1704164645", 41, true, 1_704_164_645),
        ] as [(String, Int64, Bool, Double?)]
    )
    func position(text: String, offset: Int64, isTransaction: Bool, time: Double?) throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let database = try Database(path: path, columnFamilies: [StoredFormatTests.meta], memory: memory)
        let batch = WriteBatch(database)
        try batch.put(StoredFormatTests.meta, key: Array("changelog-offset".utf8), value: Array(text.utf8))
        try batch.put(
            StoredFormatTests.meta,
            key: Array("identity".utf8),
            value: Array(StoredFormatTests.identityText.utf8)
        )
        try database.write(batch)
        database.close()
        let store = try StateStore(path: path, state: state, identity: identity, memory: memory)
        defer { store.database.close() }
        #expect(try store.changelogOffset() == offset)
        #expect(try store.lacksOnlyMarker(before: offset + 1) == isTransaction)
        #expect(try store.writtenAt() == time.map { Date(timeIntervalSince1970: $0) })
    }

    @Test("a store says of itself what those before this version understand")
    func written() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let store = try StateStore(path: path, state: state, identity: identity, memory: memory)
        defer { store.database.close() }
        let now = Date(timeIntervalSince1970: 1_704_164_645.9)
        try store.write(WriteBatch(store.database), changelogOffset: 41, isTransaction: true, at: now)
        func text(_ key: String) throws -> String {
            let value = try store.database.value(StoredFormatTests.meta, forKey: Array(key.utf8))
            return String(decoding: try #require(value), as: UTF8.self)
        }
        #expect(try text("changelog-offset") == "41 transaction @1704164645")
        #expect(try text("identity") == StoredFormatTests.identityText)
    }

    @Test("after a crash a store knows what it is, and stands where it was flushed last")
    func crash() throws {
        let copy = "\(path)-copy"
        defer { for path in [path, copy] { try? FileManager.default.removeItem(atPath: path) } }
        let store = try StateStore(path: path, state: state, identity: identity, memory: memory)
        defer { store.database.close() }
        for (offset, isFlushed) in [(0, false), (41, true), (42, false)] as [(Int64, Bool)] {
            let batch = WriteBatch(store.database)
            if offset > 0 { try store.write(batch, changelogOffset: offset) }
            if isFlushed { try store.flush() }
            // What a killed process leaves behind.
            try FileManager.default.copyItem(atPath: path, toPath: copy)
            let found = try StateStore.openOffline(path: copy, state: state, memory: memory)
            #expect(
                try found.value(StoredFormatTests.meta, forKey: Array("identity".utf8))
                    == Array(StoredFormatTests.identityText.utf8)
            )
            found.close()
            let reopened = try StateStore(path: copy, state: state, identity: identity, memory: memory)
            #expect(try reopened.changelogOffset() == min(offset, 41))
            reopened.database.close()
            try FileManager.default.removeItem(atPath: copy)
        }
    }

    @Test(
        "the name that a state directory works under is kept: else what a crashed worker left open would hold everyone up"
    )
    func stateDirectory() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let file = URL(filePath: "\(path)/state.json")
        try Data(#"{"layout_version":1,"process_id":"5a1c"}"#.utf8).write(to: file)
        #expect(try StateDirectory(path: path, patience: 0).processID == "5a1c")
        try Data(#"{"layout_version":2,"process_id":"5a1c"}"#.utf8).write(to: file)
        let error = try #require(throws: StreamError.self) { _ = try StateDirectory(path: path, patience: 0) }
        #expect("\(error)".contains("has layout 2, and this program knows 1"))
    }
}
