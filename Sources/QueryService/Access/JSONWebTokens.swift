import Crypto
import Foundation
import PayloadModel
import Synchronization

/// The tokens that an issuer signs (RFC 7519): who shows one is who the issuer says. Thread-safe.
///
/// Which keys and algorithms count is said here and never by a token (RFC 8725).
public final class JSONWebTokens: Sendable {
    public struct Configuration: Sendable, Equatable {
        /// As tokens name it in `iss`.
        public var issuer: String
        /// The name by which tokens say that they are for this service, in `aud`.
        public var audience: String
        /// What `scope` or `scp` has to hold for each scope of this service.
        public var readScope: String
        public var metricsScope: String
        /// The claim with the `org_id` whose payloads a token shows; one in an object has the names of both, with a dot between.
        public var orgIDClaim: String
        /// Whether a token without that claim shows the payloads of all; else it shows none.
        public var showsAllWithoutOrgID: Bool

        public init(
            issuer: String,
            audience: String,
            readScope: String = "read",
            metricsScope: String = "metrics",
            orgIDClaim: String = "org_id",
            showsAllWithoutOrgID: Bool = false
        ) {
            self.issuer = issuer
            self.audience = audience
            self.readScope = readScope
            self.metricsScope = metricsScope
            self.orgIDClaim = orgIDClaim
            self.showsAllWithoutOrgID = showsAllWithoutOrgID
        }
    }

    private struct State {
        let text: Data
        let keys: JSONWebKeys
        /// Of tokens whose signature is right by these keys: checking it takes longer than a lookup.
        var grants: [SHA256.Digest: AccessGrant] = [:]
    }

    private let configuration: Configuration
    /// Nil: the issuer's keys are not known yet.
    private let state: Mutex<State?>

    /// Some 300 bytes each.
    static let maxGrants = 4_096
    /// What clocks may differ by.
    static let leeway: TimeInterval = 30

    /// Without keys: until it has some, tokens are a 503.
    public init(_ configuration: Configuration) {
        self.configuration = configuration
        state = Mutex(nil)
    }

    /// From the next request on these keys count; when it throws, those before still do. Returns whether anything changed.
    ///
    /// - Parameter text: a JWK Set in JSON.
    @discardableResult
    public func replace(keys text: Data) async throws(JSONWebKeysError) -> Bool {
        guard state.withLock({ $0?.text != text }) else { return false }
        let keys = try await JSONWebKeys(text)
        state.withLock { $0 = State(text: text, keys: keys) }
        return true
    }

    /// Of the issuer's keys.
    public var keyCount: Int { state.withLock { $0?.keys.count ?? 0 } }

    var grantCount: Int { state.withLock { $0?.grants.count ?? 0 } }

    /// Throws a 401 for a token that is not the issuer's, not for this service or not for this time.
    func grant(_ token: BearerToken, at now: Date = Date()) throws(Problem) -> AccessGrant {
        let digest = token.digest
        guard let (text, keys, known) = state.withLock({ $0.map { ($0.text, $0.keys, $0.grants[digest]) } }) else {
            throw .unavailable("the keys of this service's issuer are not known yet", retryAfterSeconds: 5)
        }
        if let known, let end = known.end, now < end { return known }
        let claims = try JSONWebTokens.claims(token, keys)
        let grant = try grant(claims, digest, at: now)
        state.withLock { state in
            // What other keys vouched for is not kept.
            guard state?.text == text else { return }
            if state?.grants.count == JSONWebTokens.maxGrants { state?.grants = [:] }
            state?.grants[digest] = grant
        }
        return grant
    }

    // MARK: Signature

    private struct Header: Decodable {
        let alg: String
        let kid: String?
        let typ: String?
        let crit: [String]?
    }

    /// `JWT`, or `at+jwt` for access tokens alone (RFC 9068): an issuer signs other things, too.
    private static let types = ["jwt", "at+jwt", "application/at+jwt"]

    private static func claims(_ token: BearerToken, _ keys: JSONWebKeys) throws(Problem) -> JSONValue {
        let parts = token.text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = decode(Header.self, parts[0]), let signature = Data(base64URL: parts[2])
        else { throw .invalidToken("the token is not known here") }
        guard header.crit == nil, header.typ.map({ types.contains($0.lowercased()) }) ?? true else {
            throw .invalidToken("the token is of a kind that is not taken here")
        }
        let signed = Data(token.text.utf8.dropLast(parts[2].utf8.count + 1))
        guard keys.verify(signature, of: signed, algorithm: header.alg, keyID: header.kid) else {
            throw .invalidToken("the token's signature is by no key that is known here")
        }
        guard let claims = decode(JSONValue.self, parts[1]) else {
            throw .invalidToken("the token's claims are no JSON")
        }
        return claims
    }

    private static func decode<Value: Decodable>(_ type: Value.Type, _ part: Substring) -> Value? {
        Data(base64URL: part).flatMap { try? JSONDecoder().decode(type, from: $0) }
    }

    // MARK: Claims

    private func grant(_ claims: JSONValue, _ digest: SHA256.Digest, at now: Date) throws(Problem) -> AccessGrant {
        guard claims["iss"].string == configuration.issuer else {
            throw .invalidToken("the token is not from this service's issuer")
        }
        guard claims["aud"].strings.contains(configuration.audience) else {
            throw .invalidToken("the token is not for this service: its aud lacks \(configuration.audience)")
        }
        // A token that never ends could not be taken back.
        guard let expiry = claims["exp"].number else { throw .invalidToken("the token has no exp") }
        let end = Date(timeIntervalSince1970: expiry + JSONWebTokens.leeway)
        guard now < end else { throw .invalidToken("the token has expired") }
        if claims["nbf"] != .null {
            guard let start = claims["nbf"].number,
                now >= Date(timeIntervalSince1970: start - JSONWebTokens.leeway)
            else { throw .invalidToken("the token is not valid yet") }
        }
        let names = (claims["scope"].strings + claims["scp"].strings).flatMap { $0.split(separator: " ") }
        var scopes: Set<AccessGrant.Scope> = []
        if names.contains(Substring(configuration.readScope)) { scopes.insert(.read) }
        if names.contains(Substring(configuration.metricsScope)) { scopes.insert(.metrics) }
        return AccessGrant(
            holder: claims["sub"].string.map { .subject(SHA256.hash(data: Data($0.utf8))) } ?? .token(digest),
            scopes: scopes,
            organisations: organisations(claims),
            end: end
        )
    }

    private func organisations(_ claims: JSONValue) -> AccessGrant.Organisations {
        let name = configuration.orgIDClaim
        let value =
            switch claims[name] {
            // Names with dots in them are common, too: those of namespaces.
            case .null: name.split(separator: ".").reduce(claims) { $0[String($1)] }
            case let value: value
            }
        if value == .null { return configuration.showsAllWithoutOrgID ? .all : .unnamed(claim: name) }
        // A number is taken as a status message's is.
        let text = value.string ?? value.integer.map { "\($0)" }
        let orgID = text.flatMap { (try? PayloadFilter(["org_id": $0]))?.orgID }
        return orgID.map { .one($0) } ?? .unnamed(claim: name)
    }
}

extension JSONValue {
    /// One, or those of an array.
    fileprivate var strings: [String] { string.map { [$0] } ?? array.compactMap(\.string) }
}
