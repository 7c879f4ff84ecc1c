import AsyncHTTPClient
import NIOSSL

/// Why there is no answer over HTTP, where the client's own words would not tell people what to do.
enum ConnectionFailure {
    /// What the server at the other end does, as a clause behind its name; nil: it is not about TLS.
    static func reason(_ error: any Error, isTLS: Bool) -> String? {
        switch error {
        case NIOSSLError.handshakeFailed(let cause): reason(ofHandshake: "\(cause)")
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            "shows a certificate for another name or address"
        case let error as HTTPClientError where error == .remoteConnectionClosed && !isTLS:
            "closes the connection without a word: does it want https?"
        default: nil
        }
    }

    /// BoringSSL tells causes apart by the names in its text only.
    private static func reason(ofHandshake cause: String) -> String? {
        // The other end has gone: it may be starting again.
        if cause.contains("eofDuringHandshake") || cause.contains("EOF during handshake") { return nil }
        return if cause.contains("CERTIFICATE_VERIFY_FAILED") {
            "shows a certificate that has expired or is from no authority trusted here: http.tls.ca-file names the authorities"
        } else if cause.contains("WRONG_VERSION_NUMBER") || cause.contains("HTTP_REQUEST") {
            "does not speak TLS: does it want http?"
        } else {
            "does not get through the TLS handshake: \(cause)"
        }
    }
}
