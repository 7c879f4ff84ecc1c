import Hummingbird
import HummingbirdTesting
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import QueryService

/// A connection on which a test sends whatever bytes it likes.
struct RawConnection: Sendable {
    let channel: any Channel
    private let collected: Collected

    static func open<Result>(_ port: Int, _ body: (RawConnection) async throws -> Result) async throws -> Result {
        let collected = Collected()
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(CollectingHandler(collected))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        defer { channel.close(promise: nil) }
        return try await body(RawConnection(channel: channel, collected: collected))
    }

    func send(_ bytes: some Sequence<UInt8>) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }

    func send(_ text: String) async throws { try await send(text.utf8) }

    /// Says that nothing more will come.
    func finish() async throws { try await channel.close(mode: .output) }

    /// All that came until the server closed. Throws when it does not.
    func rest() async throws -> [UInt8] {
        let giveUp = channel.eventLoop.scheduleTask(in: .seconds(30)) {
            collected.isUnclosed.store(true, ordering: .relaxed)
            channel.close(promise: nil)
        }
        try await channel.closeFuture.get()
        giveUp.cancel()
        if collected.isUnclosed.load(ordering: .relaxed) { throw Unclosed() }
        return collected.bytes.withLock { $0 }
    }

    struct Unclosed: Error {}

    /// All that came since the last call, once it ends with `end` or the server has closed.
    func answer(endingWith end: String) async throws -> String {
        try await until {
            !channel.isActive
                || collected.bytes.withLock { $0.suffix(end.utf8.count).elementsEqual(end.utf8) }
        }
        return collected.bytes.withLock { bytes in
            defer { bytes = [] }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}

private final class Collected: Sendable {
    let bytes = Mutex<[UInt8]>([])
    let isUnclosed = Atomic(false)
}

private final class CollectingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let collected: Collected

    init(_ collected: Collected) { self.collected = collected }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        collected.bytes.withLock { $0.append(contentsOf: buffer.readableBytesView) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

extension Endpoint {
    /// Listens on a port of its own while `body` runs.
    func serve(_ body: @escaping @Sendable (_ port: Int) async throws -> Void) async throws {
        try await server.application.test(.live) { client in
            try await body(try #require(client.port))
        }
    }
}
