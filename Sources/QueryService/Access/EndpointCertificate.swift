import Foundation
import NIOCore
import NIOSSL
import Synchronization

/// What the endpoint shows to clients over TLS: its certificate with the chain, and proves with the key. Thread-safe.
public final class EndpointCertificate: Sendable {
    private struct Pair {
        let texts: (certificate: Data, key: Data)
        let chain: [NIOSSLCertificate]
        let key: NIOSSLPrivateKey
    }

    private let pair: Mutex<Pair>

    /// - Parameters:
    ///   - certificate: in PEM, the own one first, then those up to the authority.
    ///   - key: in PEM, without a passphrase.
    public init(certificate: Data, key: Data) throws(EndpointCertificateError) {
        pair = Mutex(try EndpointCertificate.pair(certificate, key))
    }

    /// From the next connection on these count; when it throws, those before still do. Returns whether anything changed.
    @discardableResult
    public func replace(certificate: Data, key: Data) throws(EndpointCertificateError) -> Bool {
        guard pair.withLock({ $0.texts != (certificate, key) }) else { return false }
        let new = try EndpointCertificate.pair(certificate, key)
        pair.withLock { $0 = new }
        return true
    }

    /// When clients take it, which is as long as all of the chain is valid.
    public var validity: (from: Date, until: Date) {
        let chain = pair.withLock(\.chain)
        return (
            Date(timeIntervalSince1970: TimeInterval(chain[0].notValidBefore)),
            Date(timeIntervalSince1970: TimeInterval(chain.map(\.notValidAfter).min() ?? 0))
        )
    }

    /// Of the server; each connection gets what counts at its time.
    var tlsConfiguration: TLSConfiguration {
        let (chain, key) = pair.withLock { ($0.chain, $0.key) }
        var configuration = EndpointCertificate.configuration(chain, key)
        configuration.sslContextCallback = { [self] _, promise in
            var current = NIOSSLContextConfigurationOverride()
            pair.withLock {
                current.certificateChain = $0.chain.map { .certificate($0) }
                current.privateKey = .privateKey($0.key)
            }
            promise.succeed(current)
        }
        return configuration
    }

    private static func configuration(_ chain: [NIOSSLCertificate], _ key: NIOSSLPrivateKey) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(key)
        )
        // NIOSSL would take TLS 1.0 as well.
        configuration.minimumTLSVersion = .tlsv12
        // How long a stop waits for clients that do not answer the end of their connection: pooled connections of other instances never do.
        configuration.shutdownTimeout = .milliseconds(500)
        return configuration
    }

    private static func pair(_ certificate: Data, _ key: Data) throws(EndpointCertificateError) -> Pair {
        guard let chain = try? NIOSSLCertificate.fromPEMBytes(Array(certificate)), !chain.isEmpty else {
            throw .certificate
        }
        guard let privateKey = try? NIOSSLPrivateKey(bytes: Array(key), format: .pem) else { throw .key }
        // Only the making of a context compares the two.
        guard (try? NIOSSLContext(configuration: configuration(chain, privateKey))) != nil else { throw .mismatch }
        return Pair(texts: (certificate, key), chain: chain, key: privateKey)
    }
}

/// What is wrong with a certificate and its key. Nothing of the key is in it.
public enum EndpointCertificateError: Error, Sendable {
    case certificate
    case key
    case mismatch
}
