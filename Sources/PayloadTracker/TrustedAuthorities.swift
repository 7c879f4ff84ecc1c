import Foundation
import NIOSSL
import Synchronization

/// The authorities that vouch for the instances which this program asks over TLS: those of `http.tls.ca-file`, or the system's. Thread-safe.
final class TrustedAuthorities: Sendable {
    static let system = TrustedAuthorities()

    /// A connection is kept for its configuration, so that one that is trusted no more is not used again.
    private let current: Mutex<(text: Data, configuration: TLSConfiguration)?>

    private init() { current = Mutex(nil) }

    /// - Parameter path: of a file in PEM; nil: the system's.
    init(_ path: String?) throws(SettingsError) {
        guard let path else {
            current = Mutex(nil)
            return
        }
        current = Mutex(try TrustedAuthorities.read(path))
    }

    /// Nil: the system's.
    var tlsConfiguration: TLSConfiguration? { current.withLock { $0?.configuration } }

    /// From the next connection on the file's authorities count; when it throws, those before still do. Returns whether anything changed.
    func refresh(from path: String) throws(SettingsError) -> Bool {
        let new = try TrustedAuthorities.read(path)
        return current.withLock { current in
            guard current?.text != new.text else { return false }
            current = new
            return true
        }
    }

    private static func read(_ path: String) throws(SettingsError) -> (text: Data, configuration: TLSConfiguration) {
        let text = try SettingsError.reading("http.tls.ca-file", path)
        guard let certificates = try? NIOSSLCertificate.fromPEMBytes(Array(text)), !certificates.isEmpty else {
            throw SettingsError("http.tls.ca-file \(SingleLine.shorten(path)) has no certificate in PEM")
        }
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .certificates(certificates)
        return (text, configuration)
    }
}

extension SettingsError {
    /// What is in the file that a setting names.
    static func reading(_ key: String, _ path: String) throws(SettingsError) -> Data {
        do {
            return try Data(contentsOf: URL(filePath: path))
        } catch {
            throw SettingsError("\(key) \(SingleLine.shorten(path)) cannot be read")
        }
    }
}
