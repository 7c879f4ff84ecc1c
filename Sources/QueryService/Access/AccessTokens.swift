import Crypto
import PayloadModel
import Synchronization

/// The tokens of a file. Thread-safe.
public final class AccessTokens: Sendable {
    private let lines: Mutex<[AccessTokenLine]>

    /// - Parameter text: of a file of tokens (docs/security.md).
    public init(_ text: String) throws(AccessTokensError) {
        lines = Mutex(try AccessTokenLine.parse(text))
    }

    /// From the next request on the file's text counts; when it throws, what there was still does. Returns whether anything changed.
    @discardableResult
    public func replace(with text: String) throws(AccessTokensError) -> Bool {
        let new = try AccessTokenLine.parse(text)
        return lines.withLock { lines in
            defer { lines = new }
            return lines != new
        }
    }

    public var count: Int { lines.withLock(\.count) }

    /// Nil for a token that is not in the file. Digests are compared in constant time, all of them, so that time tells nothing of what is known.
    func grant(_ token: BearerToken) -> AccessGrant? {
        let digest = token.digest
        return lines.withLock { lines in
            lines.reduce(nil as AccessGrant?) { found, line in line.digest == digest ? line.grant : found }
        }
    }
}

/// What is wrong with a file of tokens: a clause that names the line and shows nothing of it.
public struct AccessTokensError: Error, Sendable, CustomStringConvertible {
    public let description: String
}
