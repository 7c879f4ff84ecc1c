import HTTPTypes
import NIOCore

/// Asks other instances over HTTP. Called from many tasks at once; a task that is cancelled gets `.cancelled` soon.
public protocol PeerClient: Sendable {
    /// One GET. Redirects are not followed.
    ///
    /// - Parameters:
    ///   - url: path and query included.
    ///   - timeout: for all of it, the body included.
    func get(_ url: String, headers: HTTPFields, timeout: Duration) async throws(PeerFailure) -> PeerAnswer
}

/// What another instance answered.
public struct PeerAnswer: Sendable {
    public var status: HTTPResponse.Status
    public var headers: HTTPFields
    public var body: ByteBuffer

    public init(status: HTTPResponse.Status, headers: HTTPFields, body: ByteBuffer) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// Why there is no answer.
public enum PeerFailure: Error, Sendable {
    /// It does not listen, or the connection broke. Asking again does no harm: it only reads.
    case unreachable(String)
    case timedOut
    case tooLarge
    case cancelled
    /// Too many requests to it are under way.
    case busy
    /// It cannot be asked, or not by this instance: a clause that goes behind its name.
    case unusable(String)
}
