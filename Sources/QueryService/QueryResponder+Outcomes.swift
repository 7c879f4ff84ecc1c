import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import ServiceLifecycle

// Outcomes as server-sent events (WHATWG HTML, section 9.2).

extension QueryResponder {
    /// After which a client that takes nothing is given up: it has a place that another may want.
    private static let writePatience = TimeAmount.seconds(20)
    private static let mediaType = "text/event-stream; charset=utf-8"
    /// Of one write. An event alone may be longer.
    private static let maxChunkBytes = 256 << 10

    func outcomes(_ request: Request, _ query: String?, _ access: Access, _ context: QueryContext) async throws
        -> Response
    {
        let filter = try OutcomeFilter(QueryParameters(query, allowed: OutcomeFilter.parameters), access)
        let position = try QueryResponder.lastEventID(request)
        // Nobody listens to the answer to a HEAD.
        let isHead = request.method == .head
        let body =
            isHead ? ResponseBody() : try await stream(from: position, filter, until: access.end, context.channel)
        var response = Response(status: .ok, headers: [.contentType: QueryResponder.mediaType], body: body)
        // Reverse proxies would hold events back until they have some kilobytes of them.
        if let name = HTTPField.Name("X-Accel-Buffering") { response.headers[name] = "no" }
        return response
    }

    private static func lastEventID(_ request: Request) throws(Problem) -> OutcomePosition? {
        // An empty one is what a client sends that has seen no id.
        guard let name = HTTPField.Name("Last-Event-ID"), let text = request.headers[name], !text.isEmpty else {
            return nil
        }
        guard let position = OutcomePosition(text) else {
            throw .badRequest("Last-Event-ID is not an id of this stream; leave it out to listen from now on")
        }
        return position
    }

    /// - Parameter end: when the client's token ends, and the stream with it; nil: no such time is known.
    private func stream(
        from position: OutcomePosition?,
        _ filter: OutcomeFilter,
        until end: Date?,
        _ channel: any Channel
    ) async throws(Problem) -> ResponseBody {
        let subscription: any OutcomeSubscription
        do {
            subscription = try await outcomes.subscribe(from: position)
        } catch {
            switch error {
            case .unavailable(let reason, let seconds):
                throw Problem(status: .serviceUnavailable, detail: reason, retryAfterSeconds: seconds)
            case .badPosition(let reason): throw .badRequest("Last-Event-ID: \(reason)")
            }
        }
        return ResponseBody { writer in
            let expiry = end.map { end in
                channel.eventLoop.scheduleTask(in: QueryResponder.time(until: end)) { subscription.end() }
            }
            defer { expiry?.cancel() }
            // A stream has much to do at times, and would hold up the other connections of its event loop.
            try await withTaskExecutorPreference(globalConcurrentExecutor) {
                try await withGracefulShutdownHandler {
                    try await QueryResponder.send(subscription, filter, to: &writer, channel)
                } onGracefulShutdown: {
                    subscription.end()
                }
            }
            try await writer.finish(nil)
        }
    }

    /// No longer than a year: a token may end whenever its issuer likes.
    private static func time(until end: Date) -> TimeAmount {
        .milliseconds(Int64(min(max(end.timeIntervalSinceNow, 0), 365 * 86_400) * 1_000))
    }

    private static func send(
        _ subscription: any OutcomeSubscription,
        _ filter: OutcomeFilter,
        to writer: inout any ResponseBodyWriter,
        _ channel: any Channel
    ) async throws {
        var position = subscription.start
        var told = position
        // Clients that hear of nothing for long shall not have to go back to before they came.
        var text = ByteBuffer(string: "retry: 2000\nid: \(position)\n\n")
        while true {
            try await write(&text, to: &writer, channel)
            guard let outcomes = await subscription.next() else { return }
            for outcome in outcomes {
                _ = position.advance(past: outcome.offset, of: outcome.partition)
                guard filter.wants(outcome) else { continue }
                text.writeString("id: \(position)\nevent: \(outcome.type)\ndata: ")
                text.writeBytes(outcome.json)
                text.writeString("\n\n")
                told = position
                if text.readableBytes >= maxChunkBytes { try await write(&text, to: &writer, channel) }
            }
            guard outcomes.isEmpty else { continue }
            text.writeString(told == position ? ":\n\n" : "id: \(position)\n\n")
            told = position
        }
    }

    /// Writes and empties `text`. Closes the connection when the client does not take it.
    private static func write(_ text: inout ByteBuffer, to writer: inout any ResponseBodyWriter, _ channel: any Channel)
        async throws
    {
        guard text.readableBytes > 0 else { return }
        let giveUp = channel.eventLoop.scheduleTask(in: writePatience) { channel.close(promise: nil) }
        defer { giveUp.cancel() }
        try await writer.write(text)
        text.clear(minimumCapacity: 0)
    }
}
