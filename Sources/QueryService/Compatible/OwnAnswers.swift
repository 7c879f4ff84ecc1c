import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization

/// What this service answers to its own clients, as JSON.
struct OwnAnswers: Sendable {
    let responder: QueryResponder
    /// Of the request that the answers are for.
    let headers: HTTPFields
    let context: QueryContext

    /// - Parameter target: path and query.
    /// - Throws: `Problem` for an answer other than 200.
    func object(_ target: String) async throws -> JSONValue {
        let head = HTTPRequest(method: .get, scheme: nil, authority: nil, path: target, headerFields: headers)
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer()))
        let response = try await responder.answer(request, Route(path: request.uri.path), context)
        let body = CollectedBody()
        try await response.body.write(body)
        let object = try? JSONDecoder().decode(JSONValue.self, from: Data(body.buffer.readableBytesView))
        guard response.status == .ok, let object else {
            // Passed on from another instance.
            let detail = object?["detail"].string ?? "there is no answer"
            let seconds = response.headers[.retryAfter].flatMap { Int($0) }
            throw Problem(status: response.status, detail: detail, retryAfterSeconds: seconds)
        }
        return object
    }

    /// Payloads of a list, newest first, and whether these are all.
    func newest(_ count: Int, _ filters: [String: String]) async throws -> (payloads: [JSONValue], isAll: Bool) {
        var found: [JSONValue] = []
        var cursor: String?
        // A page may be short, and the next one not.
        for _ in 0..<OwnAnswers.maxPages {
            var parameters = filters
            parameters["limit"] = "\(min(count - found.count, OwnAnswers.pageLimit))"
            parameters["cursor"] = cursor
            let query = parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.percentEncoded)" }
            let page = try await object("/v1/payloads?\(query.joined(separator: "&"))")
            found += page["data"].array
            cursor = page["next_cursor"].string
            if cursor == nil || found.count >= count { break }
        }
        return (found, cursor == nil)
    }

    /// The histories of payloads, in their order; one that is gone meanwhile has none.
    func histories(
        of payloads: [JSONValue],
        atOnce: Int,
        target: @escaping @Sendable (_ id: String) -> String
    ) async throws -> [[JSONValue]] {
        try await withThrowingTaskGroup(of: (Int, [JSONValue]).self) { group in
            var histories = [[JSONValue]](repeating: [], count: payloads.count)
            for (index, payload) in payloads.enumerated() {
                if index >= atOnce, let (done, history) = try await group.next() { histories[done] = history }
                let target = target(payload["payload_id"].string?.percentEncoded ?? "")
                group.addTask { (index, try await history(target)) }
            }
            for try await (index, history) in group { histories[index] = history }
            return histories
        }
    }

    private func history(_ target: String) async throws -> [JSONValue] {
        do {
            return try await object(target)["data"].array
        } catch let problem as Problem where problem.status == .notFound {
            return []
        }
    }

    private static let pageLimit = 500
    private static let maxPages = 8
}

/// Keeps a response's body in memory. Written to by one task.
private final class CollectedBody: ResponseBodyWriter, Sendable {
    private let collected = Mutex(ByteBuffer())

    var buffer: ByteBuffer { collected.withLock { $0 } }

    func write(_ buffer: ByteBuffer) { collected.withLock { _ = $0.writeImmutableBuffer(buffer) } }
    func finish(_ trailingHeaders: HTTPFields?) {}
}

extension JSONValue {
    /// Null for what is no object or lacks the field.
    subscript(_ name: String) -> JSONValue {
        if case .object(let fields) = self { fields[name] ?? .null } else { .null }
    }

    /// Empty for what is none.
    var array: [JSONValue] { if case .array(let elements) = self { elements } else { [] } }
}
