import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import PayloadModel

extension Response {
    /// An answer as JSON. Throws what `Encodable` throws: a fault of the program, not of the question.
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        Response(status: status, contentType: jsonType, body: try encode(value))
    }

    /// As JSON, for what is asked for often.
    static func json(_ write: (inout JSONWriter) -> Void) -> Response {
        var writer = JSONWriter(capacity: 4_096)
        write(&writer)
        return Response(status: .ok, contentType: jsonType, body: ByteBuffer(bytes: writer.bytes))
    }

    /// A problem, with the headers that its status asks for (RFC 9110, sections 10.2.1, 10.2.3 and 11.6.1).
    init(_ problem: Problem) {
        // Numbers and strings always encode; were it otherwise, the status alone would still tell the client most.
        let body = (try? Response.encode(problem)) ?? ByteBuffer()
        self.init(status: problem.status, contentType: "application/problem+json", body: body)
        if problem.status == .methodNotAllowed { headers[.allow] = Response.allowedMethods }
        headers[.wwwAuthenticate] = problem.challenge
        if let seconds = problem.retryAfterSeconds { headers[.retryAfter] = "\(seconds)" }
    }

    /// The answer to OPTIONS, for any path.
    static var options: Response {
        var response = Response(status: .noContent, headers: [.allow: allowedMethods])
        // RFC 9110, section 8.6: never with a 204.
        response.headers[.contentLength] = nil
        return response
    }

    init(status: HTTPResponse.Status, contentType: String, body: ByteBuffer) {
        self.init(status: status, headers: [.contentType: contentType], body: ResponseBody(byteBuffer: body))
    }

    private static let jsonType = "application/json; charset=utf-8"
    private static let allowedMethods = "GET, HEAD, OPTIONS"

    private static func encode(_ value: some Encodable) throws -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return ByteBuffer(bytes: try encoder.encode(value))
    }
}
