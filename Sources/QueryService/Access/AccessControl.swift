import HTTPTypes

/// Who may ask: those with a token that a file knows, or that the issuer has signed.
struct AccessControl: Sendable {
    /// Nil: no file.
    let tokens: AccessTokens?
    /// Nil: no issuer.
    let signed: JSONWebTokens?

    /// Nil where there is neither: then anyone may ask.
    init?(tokens: AccessTokens?, signed: JSONWebTokens?) {
        guard tokens != nil || signed != nil else { return nil }
        self.tokens = tokens
        self.signed = signed
    }

    /// What the request's token is good for. Throws a 401 without one that is.
    func grant(_ headers: HTTPFields) throws(Problem) -> AccessGrant {
        guard headers[.authorization] != nil else {
            throw Problem(
                status: .unauthorized,
                detail: "this service wants a token: Authorization: Bearer …",
                challenge: "Bearer"
            )
        }
        guard let token = BearerToken(headers) else { throw .invalidToken("the token is not known here") }
        if let grant = tokens?.grant(token) { return grant }
        guard let signed else { throw .invalidToken("the token is not known here") }
        return try signed.grant(token)
    }
}

extension Problem {
    static func invalidToken(_ detail: String) -> Problem {
        Problem(status: .unauthorized, detail: detail, challenge: #"Bearer error="invalid_token""#)
    }
}
