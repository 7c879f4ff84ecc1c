import NIOCore
import NIOHTTPTypes

/// Closes a connection whose client takes too long to send a request: the first one from the connection on, with the TLS handshake, and of
/// each the body from its header on. Between requests the idle timeout counts.
final class RequestDeadlineHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let timeout: TimeAmount
    private var deadline: Scheduled<Void>?
    private var isWaiting = true
    /// Those whose header is there and whose answer is not.
    private var requestsUnderWay = 0

    init(timeout: TimeAmount) { self.timeout = timeout }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { schedule(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        schedule(context)
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            deadline?.cancel()
            deadline = nil
            isWaiting = true
            requestsUnderWay += 1
        case .body: break
        case .end:
            deadline?.cancel()
            deadline = nil
            isWaiting = false
        }
        context.fireChannelRead(data)
    }

    /// Most requests have no body, and are whole by now.
    func channelReadComplete(context: ChannelHandlerContext) {
        if isWaiting { schedule(context) }
        context.fireChannelReadComplete()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { requestsUnderWay -= 1 }
        context.write(data, promise: promise)
    }

    private func schedule(_ context: ChannelHandlerContext) {
        guard deadline == nil else { return }
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) { [self] in
            deadline = nil
            // As long as an earlier request is answered, it may be this side that does not read.
            if requestsUnderWay > 1 { schedule(context) } else { context.close(promise: nil) }
        }
    }
}

@available(*, unavailable)
extension RequestDeadlineHandler: Sendable {}
