import Foundation
import JWTKit

/// The public keys of an issuer, as it publishes them (RFC 7517).
///
/// JWTKit's own set refuses all of it for one key that it does not know, and issuers have keys for encryption, too.
struct JSONWebKeys: Sendable {
    private struct Key: Sendable {
        /// As tokens name it; nil: they do not.
        let id: String?
        let algorithm: String
        let verifier: any JWTAlgorithm
    }

    /// One for each algorithm of each key.
    private let keys: [Key]
    let count: Int

    /// Keys for other things than the checking of signatures are left out.
    init(_ json: Data) async throws(JSONWebKeysError) {
        guard let set = try? JSONDecoder().decode(PublishedKeys.self, from: json) else {
            throw JSONWebKeysError(description: #"it is no set of keys in JSON: {"keys": […]}"#)
        }
        var keys: [Key] = []
        for (index, key) in set.keys.enumerated() {
            for algorithm in key.algorithms {
                let name = key.kid.map { "\"\($0)\"" } ?? "number \(index + 1)"
                guard key.d == nil else {
                    throw JSONWebKeysError(description: "key \(name) is a private one; only public keys belong here")
                }
                keys.append(Key(id: key.kid, algorithm: algorithm, verifier: try await key.verifier(algorithm, name)))
            }
        }
        guard !keys.isEmpty else {
            throw JSONWebKeysError(
                description: "there is no key in it for \(PublishedKey.allAlgorithms.joined(separator: ", "))"
            )
        }
        self.keys = keys
        count = set.keys.count { !$0.algorithms.isEmpty }
    }

    /// Whether one of the keys made the signature, the one of that id where the token names it.
    func verify(_ signature: Data, of signed: Data, algorithm: String, keyID: String?) -> Bool {
        keys.contains { key in
            key.algorithm == algorithm && (keyID == nil || key.id == keyID)
                && (try? key.verifier.verify(signature, signs: signed)) == true
        }
    }
}

/// What is wrong with an issuer's keys, as a clause.
public struct JSONWebKeysError: Error, Sendable, CustomStringConvertible {
    public let description: String
}

private struct PublishedKeys: Decodable {
    let keys: [PublishedKey]
}

/// Members as RFC 7517, section 4, and RFC 7518, section 6, have them.
private struct PublishedKey: Decodable {
    let kty: String
    let kid: String?
    let alg: String?
    let use: String?
    let crv: String?
    let n: String?
    let e: String?
    let x: String?
    let y: String?
    let d: String?

    private static let rsaAlgorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
    private static let curveAlgorithms = ["P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"]

    /// Asymmetric ones alone: who can check a signature must not be able to make one.
    static var allAlgorithms: [String] { rsaAlgorithms + curveAlgorithms.values.sorted() }

    /// Of the signatures that it can check.
    var algorithms: [String] {
        guard use == nil || use == "sig" else { return [] }
        let all =
            switch kty {
            case "RSA": PublishedKey.rsaAlgorithms
            case "EC", "OKP": crv.flatMap { PublishedKey.curveAlgorithms[$0] }.map { [$0] } ?? []
            default: [String]()
            }
        return all.filter { alg == nil || alg == $0 }
    }

    func verifier(_ algorithm: String, _ name: String) async throws(JSONWebKeysError) -> any JWTAlgorithm {
        let algorithm = JWK.Algorithm(rawValue: algorithm)
        // A collection's keys have names, the set's need none.
        let id = JWKIdentifier(string: "key")
        let key: JWK =
            switch kty {
            case "RSA": .rsa(algorithm, identifier: id, modulus: n, exponent: e)
            case "EC":
                .ecdsa(algorithm, identifier: id, x: x, y: y, curve: crv.flatMap { ECDSACurve(rawValue: $0) })
            default:
                .octetKeyPair(algorithm, identifier: id, x: x, y: nil, curve: crv.flatMap { EdDSACurve(rawValue: $0) })
            }
        do {
            return try await JWTKeyCollection().add(jwk: key).getKey(for: id)
        } catch {
            throw JSONWebKeysError(description: "key \(name) cannot be used: it is damaged, or shorter than 2048 bits")
        }
    }
}
