import Foundation
import HTTPTypes
import Logging
import NIOCore
import QueryService
import StreamRuntime

/// Who may ask, as the settings say: tokens and keys come and go without a restart.
struct AccessSources {
    /// Nil: there is no file of tokens.
    let tokens: AccessTokens?
    /// Nil: there is no issuer.
    let signed: JSONWebTokens?
    /// What reads them again.
    private(set) var services: [RereadSource] = []

    /// Throws for files that cannot be read or understood, for half an issuer, and where other instances could not get past the tokens.
    ///
    /// - Parameter authorities: that vouch for the server of `http.jwt.jwks-url`.
    init(_ settings: Settings, authorities: TrustedAuthorities, logger: Logger) async throws(SettingsError) {
        let issuer = try JWTIssuer(settings)
        if settings.httpPeerSecret == nil, let key = settings.httpTokensFile == nil ? issuer?.keys.setting : tokensKey {
            throw SettingsError("\(key) needs http.peer-secret, which instances show each other")
        }
        if let path = settings.httpTokensFile {
            let tokens = try AccessSources.tokens(path) { (text) throws(AccessTokensError) in try AccessTokens(text) }
            self.tokens = tokens
            services.append(
                RereadSource(logger: logger) { () async throws(SettingsError) in
                    try await AccessSources.refresh(tokens, from: path)
                }
            )
        } else {
            tokens = nil
        }
        guard let issuer else {
            signed = nil
            return
        }
        let signed = JSONWebTokens(issuer.configuration)
        self.signed = signed
        var source = RereadSource(logger: logger) { () async throws(SettingsError) in
            try await issuer.refresh(signed, authorities: authorities)
        }
        switch issuer.keys {
        case .file: _ = try await issuer.refresh(signed, authorities: authorities)
        // Nothing to stop the start for: it may come up after this.
        case .server:
            source.isFirst = true
            source.pause = AccessSources.pauseBetweenFetches
        }
        services.append(source)
    }

    /// Issuers change their keys seldom.
    private static let pauseBetweenFetches = Duration.seconds(60)

    private static func refresh(_ tokens: AccessTokens, from path: String) async throws(SettingsError) -> String? {
        let result = await onOwnThread("tokens-file") {
            Result { () throws(SettingsError) in
                try AccessSources.tokens(path) { (text) throws(AccessTokensError) in try tokens.replace(with: text) }
            }
        }
        return try result.get() ? "\(tokensKey) has changed: \(tokens.count) tokens" : nil
    }

    /// What `use` makes of the file's text.
    private static func tokens<Output>(
        _ path: String,
        _ use: (_ text: String) throws(AccessTokensError) -> Output
    ) throws(SettingsError) -> Output {
        let bytes = try SettingsError.reading(tokensKey, path)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SettingsError("\(tokensKey) \(SingleLine.shorten(path)) is no UTF-8 text")
        }
        do throws(AccessTokensError) {
            return try use(text)
        } catch {
            throw SettingsError("\(tokensKey) \(SingleLine.shorten(path)): \(error)")
        }
    }
}

private let tokensKey = "http.tokens-file"

/// The issuer of signed tokens, as the settings name it.
private struct JWTIssuer {
    enum Keys {
        case file(path: String)
        case server(url: URL)

        var setting: String {
            switch self {
            case .file: "http.jwt.jwks-file"
            case .server: "http.jwt.jwks-url"
            }
        }
    }

    let configuration: JSONWebTokens.Configuration
    let keys: Keys

    /// Nil: there is none.
    init?(_ settings: Settings) throws(SettingsError) {
        let keys: Keys
        switch (settings.httpJWTJWKSFile, settings.httpJWTJWKSURL) {
        case (let path?, nil): keys = .file(path: path)
        case (nil, let url?): keys = .server(url: url)
        case (.some, .some):
            throw SettingsError("http.jwt.jwks-file and http.jwt.jwks-url are both set: the keys come from one of them")
        case (nil, nil):
            guard settings.httpJWTIssuer == nil, settings.httpJWTAudience == nil else {
                throw SettingsError(
                    "http.jwt.issuer and http.jwt.audience let nobody in without http.jwt.jwks-file or http.jwt.jwks-url"
                )
            }
            return nil
        }
        // Without them the tokens of every service of the issuer would do.
        guard let issuer = settings.httpJWTIssuer, let audience = settings.httpJWTAudience else {
            throw SettingsError(
                "\(keys.setting) needs http.jwt.issuer and http.jwt.audience, which tokens have to name"
            )
        }
        self.keys = keys
        configuration = JSONWebTokens.Configuration(
            issuer: issuer,
            audience: audience,
            readScope: settings.httpJWTReadScope,
            metricsScope: settings.httpJWTMetricsScope,
            orgIDClaim: settings.httpJWTOrgIDClaim,
            showsAllWithoutOrgID: settings.httpJWTWithoutOrgID == .all
        )
    }

    /// Gives the tokens the keys that the issuer has now. Returns what there is to tell of a change.
    func refresh(_ tokens: JSONWebTokens, authorities: TrustedAuthorities) async throws(SettingsError) -> String? {
        let place: String
        let text: Data
        switch keys {
        case .file(let path):
            place = "\(keys.setting) \(SingleLine.shorten(path))"
            text = try await onOwnThread("jwks-file") { [setting = keys.setting] in
                Result { () throws(SettingsError) in try SettingsError.reading(setting, path) }
            }
            .get()
        case .server(let url):
            place = "\(keys.setting) \(SingleLine.shorten(url.absoluteString))"
            text = try await JWTIssuer.fetch(url, place, HTTPPeerClient(authorities: authorities))
        }
        do throws(JSONWebKeysError) {
            return try await tokens.replace(keys: text) ? "\(place): \(tokens.keyCount) keys" : nil
        } catch {
            throw SettingsError("\(place): \(error)")
        }
    }

    private static let timeout = Duration.seconds(10)

    private static func fetch(_ url: URL, _ place: String, _ client: HTTPPeerClient) async throws(SettingsError) -> Data
    {
        let answer: PeerAnswer
        do throws(PeerFailure) {
            answer = try await client.get(url.absoluteString, headers: [:], timeout: timeout)
        } catch {
            let reason =
                switch error {
                case .unusable(let reason): reason
                case .timedOut: "does not answer in time"
                case .tooLarge: "has an answer that is too large"
                case .unreachable, .cancelled, .busy: "cannot be reached"
                }
            throw SettingsError("\(place) \(reason)")
        }
        guard answer.status == .ok else {
            throw SettingsError("\(place) answers with the HTTP status \(answer.status.code)")
        }
        return Data(answer.body.readableBytesView)
    }
}
