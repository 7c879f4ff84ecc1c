import Crypto
import CryptoExtras
import Foundation

@testable import QueryService

/// Signs tokens as an identity provider does, without the library that checks them.
struct StubIssuer {
    enum Algorithm: String, CaseIterable, Sendable {
        case rs256 = "RS256"
        case rs384 = "RS384"
        case rs512 = "RS512"
        case ps256 = "PS256"
        case ps384 = "PS384"
        case ps512 = "PS512"
        case es256 = "ES256"
        case es384 = "ES384"
        case es512 = "ES512"
        case eddsa = "EdDSA"
    }

    static let name = "https://sso.example.com/realms/uploads"
    static let audience = "payload-tracker"

    private let rsa: _RSA.Signing.PrivateKey
    private let p256 = P256.Signing.PrivateKey()
    private let p384 = P384.Signing.PrivateKey()
    private let p521 = P521.Signing.PrivateKey()
    private let ed25519 = Curve25519.Signing.PrivateKey()

    init() throws { rsa = try _RSA.Signing.PrivateKey(keySize: .bits2048) }

    /// What a token says that reads everything, but for `changes`; nil leaves a claim out.
    static func claims(_ changes: [String: Any?] = [:]) -> [String: Any] {
        let usual: [String: Any?] = [
            "iss": name, "aud": audience, "exp": Date().timeIntervalSince1970.rounded() + 300, "sub": "alice",
            "scope": "openid read metrics", "org_id": "1",
        ]
        return usual.merging(changes) { $1 }.compactMapValues { $0 }
    }

    func token(
        _ claims: [String: Any] = claims(),
        _ algorithm: Algorithm = .es256,
        header changes: [String: Any?] = [:]
    ) throws -> String {
        let header: [String: Any?] = ["alg": algorithm.rawValue, "kid": algorithm.rawValue, "typ": "JWT"]
        let signed = try StubIssuer.unsigned(header.merging(changes) { $1 }.compactMapValues { $0 }, claims)
        return "\(signed).\(try signature(algorithm, Data(signed.utf8)).base64URLEncoded)"
    }

    /// Header and claims without a signature behind them.
    static func unsigned(_ header: [String: Any], _ claims: [String: Any]) throws -> String {
        try [header, claims].map { try JSONSerialization.data(withJSONObject: $0).base64URLEncoded }
            .joined(separator: ".")
    }

    private func signature(_ algorithm: Algorithm, _ data: Data) throws -> Data {
        switch algorithm {
        case .rs256: try rsa.signature(for: SHA256.hash(data: data), padding: .insecurePKCS1v1_5).rawRepresentation
        case .rs384: try rsa.signature(for: SHA384.hash(data: data), padding: .insecurePKCS1v1_5).rawRepresentation
        case .rs512: try rsa.signature(for: SHA512.hash(data: data), padding: .insecurePKCS1v1_5).rawRepresentation
        case .ps256: try rsa.signature(for: SHA256.hash(data: data), padding: .PSS).rawRepresentation
        case .ps384: try rsa.signature(for: SHA384.hash(data: data), padding: .PSS).rawRepresentation
        case .ps512: try rsa.signature(for: SHA512.hash(data: data), padding: .PSS).rawRepresentation
        case .es256: try p256.signature(for: data).rawRepresentation
        case .es384: try p384.signature(for: data).rawRepresentation
        case .es512: try p521.signature(for: data).rawRepresentation
        case .eddsa: try ed25519.signature(for: data)
        }
    }

    /// The public keys of these algorithms, each named after its own, with `changes` to the members of each.
    func keys(_ algorithms: [Algorithm] = Algorithm.allCases, _ changes: [String: Any?] = [:]) throws -> Data {
        let keys = try algorithms.map { algorithm in
            var members: [String: Any?] = [
                "kid": algorithm.rawValue, "alg": algorithm.rawValue, "use": "sig", "x5c": ["left out"],
            ]
            switch algorithm {
            case .rs256, .rs384, .rs512, .ps256, .ps384, .ps512:
                let numbers = try rsa.publicKey.getKeyPrimitives()
                members["kty"] = "RSA"
                members["n"] = numbers.modulus.base64URLEncoded
                members["e"] = numbers.publicExponent.base64URLEncoded
            case .es256: members.merge(StubIssuer.curve("P-256", p256.publicKey.rawRepresentation)) { $1 }
            case .es384: members.merge(StubIssuer.curve("P-384", p384.publicKey.rawRepresentation)) { $1 }
            case .es512: members.merge(StubIssuer.curve("P-521", p521.publicKey.rawRepresentation)) { $1 }
            case .eddsa:
                members["kty"] = "OKP"
                members["crv"] = "Ed25519"
                members["x"] = ed25519.publicKey.rawRepresentation.base64URLEncoded
            }
            return members.merging(changes) { $1 }.compactMapValues { $0 }
        }
        return try JSONSerialization.data(withJSONObject: ["keys": keys], options: .sortedKeys)
    }

    private static func curve(_ name: String, _ point: Data) -> [String: Any?] {
        let half = point.count / 2
        return [
            "kty": "EC", "crv": name, "x": point.prefix(half).base64URLEncoded,
            "y": point.suffix(half).base64URLEncoded,
        ]
    }
}
