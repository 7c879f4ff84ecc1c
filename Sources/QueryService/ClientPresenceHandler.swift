import NIOCore

/// Tells when the client has closed its side of the connection. Who waits for an answer does not do that.
final class ClientPresenceHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    /// Of the one request that is answered.
    private var presence: ClientPresence?
    private var isGone = false

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { tell() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        tell()
        context.fireChannelInactive()
    }

    func watch(_ presence: ClientPresence) {
        if isGone { presence.end() } else { self.presence = presence }
    }

    private func tell() {
        isGone = true
        presence?.end()
        presence = nil
    }
}

@available(*, unavailable)
extension ClientPresenceHandler: Sendable {}
