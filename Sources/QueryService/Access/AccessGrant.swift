import Foundation
import HTTPTypes
import PayloadModel

/// What a token is good for, wherever that is said.
struct AccessGrant: Sendable, Equatable {
    enum Scope: String, Sendable, CaseIterable {
        /// All but the metrics.
        case read
        case metrics
    }

    /// Whose payloads it shows.
    enum Organisations: Sendable, Equatable {
        case all
        case one(Text)
        /// Those of an organisation that it does not name.
        ///
        /// - Parameter claim: that would name it.
        case unnamed(claim: String)
    }

    /// Whose requests are counted together.
    let holder: RequestRates.Client
    let scopes: Set<Scope>
    let organisations: Organisations
    /// From when on it is good for nothing; nil: as long as it is known.
    let end: Date?

    /// Whose payloads a request may see. Throws a 403 where the grant is not good for it.
    func access(for scope: Scope) throws(Problem) -> Access {
        guard scopes.contains(scope) else {
            throw Problem(
                status: .forbidden,
                detail: "this token lacks the scope \(scope.rawValue)",
                challenge: #"Bearer error="insufficient_scope", scope="\#(scope.rawValue)""#
            )
        }
        switch organisations {
        case .all: return Access(end: end)
        case .one(let orgID): return Access(orgID: orgID, end: end)
        case .unnamed(let claim):
            // Metrics show no payload.
            guard scope == .metrics else {
                throw Problem(
                    status: .forbidden,
                    detail: "this token does not say whose payloads it shows: there is no org_id in its claim \(claim)"
                )
            }
            return Access(end: end)
        }
    }
}

/// Whose payloads a request may see.
struct Access: Sendable {
    /// The one organisation; nil: all.
    var orgID: Text?
    /// From when on it may see nothing; nil: no such time is known.
    var end: Date?

    static let all = Access()

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
