import HTTPTypes
import PayloadModel
import Synchronization

/// The tokens that open the endpoint. Thread-safe.
public final class AccessTokens: Sendable {
    private let grants: Mutex<[AccessGrant]>

    /// - Parameter text: of a file of tokens (docs/security.md).
    public init(_ text: String) throws(AccessTokensError) {
        grants = Mutex(try AccessGrant.parse(text))
    }

    /// From the next request on the file's text counts; when it throws, what there was still does. Returns whether anything changed.
    @discardableResult
    public func replace(with text: String) throws(AccessTokensError) -> Bool {
        let new = try AccessGrant.parse(text)
        return grants.withLock { grants in
            defer { grants = new }
            return grants != new
        }
    }

    public var count: Int { grants.withLock(\.count) }

    /// Whose payloads the request may see. Throws a 401 without a token that is known, a 403 where it is not good for this.
    func access(_ headers: HTTPFields, for scope: AccessGrant.Scope) throws(Problem) -> Access {
        guard headers[.authorization] != nil else {
            throw .unauthorized("this service wants a token: Authorization: Bearer …", challenge: "Bearer")
        }
        guard let grant = grant(headers) else {
            throw .unauthorized("the token is not known here", challenge: #"Bearer error="invalid_token""#)
        }
        guard grant.scopes.contains(scope) else {
            throw Problem(
                status: .forbidden,
                detail: "this token lacks the scope \(scope.rawValue)",
                challenge: #"Bearer error="insufficient_scope", scope="\#(scope.rawValue)""#
            )
        }
        return Access(orgID: grant.orgID)
    }

    /// Whose requests are counted together; nil without a token that is known.
    func client(_ headers: HTTPFields) -> RequestRates.Client? { grant(headers).map { .token($0.digest) } }

    private func grant(_ headers: HTTPFields) -> AccessGrant? {
        guard let words = headers[.authorization]?.split(separator: " "), words.count == 2,
            words[0].lowercased() == "bearer", let token = BearerToken(String(words[1]))
        else { return nil }
        return grant(token)
    }

    /// Digests are compared in constant time, all of them, so that time tells nothing of what is known.
    private func grant(_ token: BearerToken) -> AccessGrant? {
        let digest = AccessGrant.digest(of: token)
        return grants.withLock { grants in
            grants.reduce(nil as AccessGrant?) { found, grant in grant.digest == digest ? grant : found }
        }
    }
}

/// What is wrong with a file of tokens: a clause that names the line and shows nothing of it.
public struct AccessTokensError: Error, Sendable, CustomStringConvertible {
    public let description: String
}

/// Whose payloads a request may see.
struct Access: Sendable {
    /// The one organisation; nil: all.
    let orgID: Text?

    static let all = Access(orgID: nil)

    /// The query of a list, for other instances.
    func restricted(_ query: String, _ parameters: QueryParameters) -> String {
        guard let orgID, parameters.text("org_id") == nil else { return query }
        return "\(query)&org_id=\(orgID.string.percentEncoded)"
    }

    /// Refuses what counts the payloads of all.
    func needsAll(_ name: String) throws(Problem) {
        guard orgID != nil else { return }
        throw Problem(status: .forbidden, detail: "\(name) is about all payloads; this token shows those of one org_id")
    }
}

extension Problem {
    fileprivate static func unauthorized(_ detail: String, challenge: String) -> Problem {
        Problem(status: .unauthorized, detail: detail, challenge: challenge)
    }
}
