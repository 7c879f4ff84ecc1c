import Foundation
import RocksStore
import Synchronization
import Testing

@Suite("Closing")
struct ClosingTests {
    let store = TemporaryStore()
    let data = TemporaryStore.data

    @Test("everything says closed after close, which may be called twice")
    func useAfterClose() throws {
        let database = try store.open()
        let batch = WriteBatch(database)
        try batch.put(data, key: [1], value: [1])
        #expect(database.close())
        #expect(database.close())

        func expectClosed(_ body: () throws -> Void) {
            #expect(#expect(throws: StoreError.self, performing: body)?.kind == .closed)
        }
        expectClosed { _ = try database.value(data, forKey: [1]) }
        expectClosed { _ = try database.values(data, forKeys: [[1]]) }
        expectClosed { try [UInt8(1)].withUnsafeBytes { try database.withValue(data, $0) { _ in } } }
        expectClosed { _ = try database.makeIterator(data) }
        expectClosed { _ = try database.snapshot() }
        expectClosed { try batch.put(data, key: [2], value: [2]) }
        expectClosed { try batch.delete(data, key: [2]) }
        expectClosed { try database.write(batch) }
        expectClosed { try database.flush() }
        expectClosed { try database.compact(data) }
        expectClosed { try database.checkpoint(at: store.directory + "/checkpoint") }
        expectClosed { _ = try database.property(data, "rocksdb.estimate-num-keys") }
        expectClosed { _ = try database.statistics() }
    }

    @Test("an iterator that outlives close keeps its memory, moves no more, and unlocks the directory when it goes")
    func iteratorAfterClose() throws {
        let database = try store.open()
        try database.put(data, "k", "v")
        func readAcrossClose() throws {
            var iterator = try database.makeIterator(data)
            try iterator.seekToFirst()
            let value = iterator.value
            #expect(!database.close())
            #expect(Array(value) == Array("v".utf8))
            #expect(#expect(throws: StoreError.self) { try store.open() }?.kind == .locked)
            do throws(StoreError) {
                try iterator.next()
                Issue.record("the iterator moved after close")
            } catch {
                #expect(error.kind == .closed)
            }
        }
        try readAcrossClose()
        #expect(database.close())
        #expect(try store.open().get(data, "k") == "v")
    }

    @Test("a close while other threads read, iterate and write neither crashes nor loses the directory")
    func closeUnderLoad() async throws {
        for round in 0..<10 {
            let database = try store.open()
            try database.put(data, "k", "v")
            let calls = Counter()
            let expectedCalls = 200 + round * 50
            await withTaskGroup { group in
                for worker in 0..<4 {
                    group.addTask {
                        await onThread {
                            let error = #expect(throws: StoreError.self) {
                                while true {
                                    try Self.use(database, worker)
                                    calls.value.add(1, ordering: .relaxed)
                                }
                            }
                            #expect(error?.kind == .closed)
                        }
                    }
                }
                while calls.value.load(ordering: .relaxed) < expectedCalls { await Task.yield() }
                await onThread {
                    #expect(database.close(waitingForReaders: .seconds(60)))
                }
            }
        }
    }

    private static func use(_ database: Database, _ worker: Int) throws {
        let data = TemporaryStore.data
        switch worker {
        case 0: try database.put(data, "k", "v")
        case 1: _ = try database.values(data, forKeys: [[107], [1]], snapshot: database.snapshot())
        case 2: _ = try database.keys(data)
        default:
            try Array("k".utf8).withUnsafeBytes { key in
                try database.withValue(data, key) { #expect($0?.count == 1) }
            }
        }
    }
}

private final class Counter: Sendable {
    let value = Atomic<Int>(0)
}

/// Runs blocking work on a thread of its own, off the cooperative pool.
func onThread(_ work: @escaping @Sendable () -> Void) async {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread {
            work()
            continuation.resume()
        }
    }
}
