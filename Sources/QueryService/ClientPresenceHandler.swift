import NIOCore

/// Tells when the client has closed its side of the connection. Who waits for an answer does not do that.
final class ClientPresenceHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    /// Of the one request that is answered.
    fileprivate var onGone: (() -> Void)?
    private var isGone = false

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { tell() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        tell()
        context.fireChannelInactive()
    }

    fileprivate func watch(_ onGone: @escaping () -> Void) {
        if isGone { onGone() } else { self.onGone = onGone }
    }

    private func tell() {
        isGone = true
        onGone?()
        onGone = nil
    }
}

@available(*, unavailable)
extension ClientPresenceHandler: Sendable {}

extension QueryContext {
    /// Cancels `body` when the client goes.
    func whileClientWaits<Answer: Sendable>(
        _ body: @escaping @Sendable () async throws -> Answer
    ) async throws -> Answer {
        let (gone, end) = AsyncStream.makeStream(of: Never.self)
        channel.eventLoop.execute { [channel] in
            let handler = try? channel.pipeline.syncOperations.handler(type: ClientPresenceHandler.self)
            handler?.watch { end.finish() }
        }
        return try await withThrowingTaskGroup(of: Answer?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                for await _ in gone {}
                return nil
            }
            while let first = try await group.next() {
                group.cancelAll()
                if let first { return first }
            }
            throw CancellationError()
        }
    }
}
