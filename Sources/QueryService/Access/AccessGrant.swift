import Crypto
import Foundation
import PayloadModel

/// A token and what it is good for. The token itself is not kept, only its SHA-256.
struct AccessGrant: Sendable, Equatable {
    enum Scope: String, Sendable, CaseIterable {
        /// All but the metrics.
        case read
        case metrics
    }

    let digest: SHA256.Digest
    let scopes: Set<Scope>
    /// The one organisation whose payloads it shows; nil: those of all.
    let orgID: Text?

    /// The grants of a file: a line for each, `TOKEN SCOPES [org_id=…]`, scopes with commas between. Empty lines and those that begin with
    /// a `#` are left out.
    static func parse(_ text: String) throws(AccessTokensError) -> [AccessGrant] {
        var grants: [AccessGrant] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            let grant: AccessGrant
            do throws(Refusal) {
                grant = try AccessGrant(words)
                guard !grants.contains(where: { $0.digest == grant.digest }) else {
                    throw Refusal(reason: "this token is in the file already")
                }
            } catch {
                throw AccessTokensError(description: "line \(index + 1): \(error.reason)")
            }
            grants.append(grant)
        }
        guard !grants.isEmpty else {
            throw AccessTokensError(description: "there is no token in it; a line is: TOKEN read,metrics [org_id=…]")
        }
        return grants
    }

    /// A clause without a word of the line that may be a token.
    private struct Refusal: Error {
        let reason: String
    }

    private init(_ words: [String]) throws(Refusal) {
        guard let token = BearerToken(words[0]) else {
            throw Refusal(
                reason: "the token is not \(BearerToken.allowed)"
            )
        }
        guard (2...3).contains(words.count) else {
            throw Refusal(reason: "after the token come its scopes, with commas between, and at most an org_id=…")
        }
        let scopes = words[1].split(separator: ",", omittingEmptySubsequences: false).map {
            Scope(rawValue: String($0))
        }
        guard scopes.allSatisfy({ $0 != nil }) else {
            throw Refusal(reason: "a scope is one of: \(Scope.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        digest = AccessGrant.digest(of: token)
        self.scopes = Set(scopes.compactMap { $0 })
        guard words.count == 3 else {
            orgID = nil
            return
        }
        guard words[2].hasPrefix("org_id=") else {
            throw Refusal(reason: "behind the scopes there can only be an org_id=…")
        }
        // Metrics count the payloads of all.
        guard self.scopes == [.read] else { throw Refusal(reason: "with an org_id the only scope is read") }
        do throws(PayloadFilter.Refusal) {
            orgID = try PayloadFilter(["org_id": String(words[2].dropFirst("org_id=".count))]).orgID
        } catch {
            throw Refusal(reason: error.description)
        }
    }

    static func digest(of token: BearerToken) -> SHA256.Digest { SHA256.hash(data: Data(token.text.utf8)) }
}
