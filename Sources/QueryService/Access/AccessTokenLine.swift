import Crypto
import PayloadModel

/// A token and what it is good for. The token itself is not kept, only its SHA-256.
struct AccessTokenLine: Sendable, Equatable {
    let digest: SHA256.Digest
    let grant: AccessGrant

    /// Those of a file, `TOKEN SCOPES [org_id=…]`, scopes with commas between. Empty lines and those that begin with a `#` are left out.
    static func parse(_ text: String) throws(AccessTokensError) -> [AccessTokenLine] {
        var lines: [AccessTokenLine] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            let line: AccessTokenLine
            do throws(Refusal) {
                line = try AccessTokenLine(words)
                guard !lines.contains(where: { $0.digest == line.digest }) else {
                    throw Refusal(reason: "this token is in the file already")
                }
            } catch {
                throw AccessTokensError(description: "line \(index + 1): \(error.reason)")
            }
            lines.append(line)
        }
        guard !lines.isEmpty else {
            throw AccessTokensError(description: "there is no token in it; a line is: TOKEN read,metrics [org_id=…]")
        }
        return lines
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
        let names = words[1].split(separator: ",", omittingEmptySubsequences: false)
        let scopes = Set(names.compactMap { AccessGrant.Scope(rawValue: String($0)) })
        guard names.allSatisfy({ AccessGrant.Scope(rawValue: String($0)) != nil }) else {
            throw Refusal(
                reason: "a scope is one of: \(AccessGrant.Scope.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
        digest = token.digest
        grant = AccessGrant(
            holder: .token(digest),
            scopes: scopes,
            organisations: try AccessTokenLine.organisations(words.dropFirst(2).first, scopes),
            end: nil
        )
    }

    private static func organisations(
        _ word: String?,
        _ scopes: Set<AccessGrant.Scope>
    ) throws(Refusal) -> AccessGrant.Organisations {
        guard let word else { return .all }
        guard word.hasPrefix("org_id=") else {
            throw Refusal(reason: "behind the scopes there can only be an org_id=…")
        }
        // Metrics count the payloads of all.
        guard scopes == [.read] else { throw Refusal(reason: "with an org_id the only scope is read") }
        let filter: PayloadFilter
        do throws(PayloadFilter.Refusal) {
            filter = try PayloadFilter(["org_id": String(word.dropFirst("org_id=".count))])
        } catch {
            throw Refusal(reason: error.description)
        }
        guard let orgID = filter.orgID else { throw Refusal(reason: "the org_id is empty") }
        return .one(orgID)
    }
}
