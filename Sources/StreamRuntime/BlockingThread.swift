import Foundation

/// Runs `body` on an OS thread of its own, because librdkafka and RocksDB block and Swift's cooperative pool must not.
public func onOwnThread<R: Sendable>(_ name: String, _ body: @escaping @Sendable () -> R) async -> R {
    await withCheckedContinuation { continuation in
        let thread = Thread { continuation.resume(returning: body()) }
        thread.name = name
        thread.stackSize = 4 << 20
        thread.start()
    }
}
