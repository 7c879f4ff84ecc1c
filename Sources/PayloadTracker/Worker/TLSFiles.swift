import Foundation
import Logging
import QueryService
import ServiceLifecycle
import StreamRuntime

/// The files of `http.tls.*`, read again every few seconds: certificates are renewed without a restart.
struct TLSFiles: Service {
    /// Of the endpoint; nil: it is without TLS.
    let certificate: EndpointCertificate?
    /// Who vouches for the other instances.
    let authorities: TrustedAuthorities
    private let settings: Settings
    private let logger: Logger

    private static let pause = Duration.seconds(5)
    /// Throws for files that cannot be read or understood.
    init(_ settings: Settings, logger: Logger) throws(SettingsError) {
        self.settings = settings
        self.logger = logger
        authorities = try TrustedAuthorities(settings.httpTLSCAFile)
        certificate = try TLSFiles.read(settings) { (certificate, key) throws(EndpointCertificateError) in
            try EndpointCertificate(certificate: certificate, key: key)
        }
    }

    /// Whether there is anything to read again.
    var hasFiles: Bool { certificate != nil || settings.httpTLSCAFile != nil }

    /// What `/metrics` says of the endpoint's certificate.
    var samples: [MetricSample] {
        guard let certificate else { return [] }
        return [
            MetricSample(
                gauge: "payload_tracker_http_certificate_expiration_timestamp_seconds",
                value: certificate.validity.until.timeIntervalSince1970
            )
        ]
    }

    func run() async {
        var troubles: (last: String?, told: String?) = (nil, nil)
        var warned: Date?
        while !Task.isShuttingDownGracefully && !Task.isCancelled {
            if let (from, until) = certificate?.validity, until != warned, TLSFiles.isOverdue(from: from, until: until)
            {
                logger.warning(
                    "the certificate of http.tls.certificate-file is refused from \(until.formatted(.iso8601)) on: renew it"
                )
                warned = until
            }
            // As with the tokens' file, not inotify.
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: TLSFiles.pause) }
            let trouble = await refresh()
            // Not at the first sight: a certificate and its key are written one after the other.
            if let trouble, trouble == troubles.last, trouble != troubles.told {
                logger.error("\(trouble); what was read before still holds")
                troubles.told = trouble
            }
            if trouble == nil { troubles.told = nil }
            troubles.last = trouble
        }
    }

    /// Returns what is wrong with the files.
    private func refresh() async -> String? {
        await onOwnThread("tls-files") { () -> String? in
            do throws(SettingsError) {
                let isNew = try TLSFiles.read(settings) { (certificate, key) throws(EndpointCertificateError) in
                    try self.certificate?.replace(certificate: certificate, key: key)
                }
                if isNew == true {
                    logger.notice("http.tls.certificate-file has changed: new connections get the new certificate")
                }
                if let path = settings.httpTLSCAFile, try authorities.refresh(from: path) {
                    logger.notice("http.tls.ca-file has changed: instances are trusted by the new authorities")
                }
                return nil
            } catch {
                return error.description
            }
        }
    }

    /// Whether somebody has to renew it by hand. What renews certificates by itself does so long before, also those that are valid for hours.
    static func isOverdue(from: Date, until: Date, now: Date = Date()) -> Bool {
        until.timeIntervalSince(now) < min(3 * 86_400, until.timeIntervalSince(from) / 10)
    }

    /// What `use` makes of the endpoint's certificate and key; nil without the settings.
    private static func read<Output>(
        _ settings: Settings,
        _ use: (_ certificate: Data, _ key: Data) throws(EndpointCertificateError) -> Output?
    ) throws(SettingsError) -> Output? {
        guard let certificate = settings.httpTLSCertificateFile else {
            guard settings.httpTLSKeyFile == nil else {
                throw SettingsError(
                    "http.tls.key-file is of no use without http.tls.certificate-file: set both or neither"
                )
            }
            return nil
        }
        guard let key = settings.httpTLSKeyFile else {
            throw SettingsError("http.tls.certificate-file is of no use without http.tls.key-file: set both or neither")
        }
        let texts = (
            try SettingsError.reading("http.tls.certificate-file", certificate),
            try SettingsError.reading("http.tls.key-file", key)
        )
        do throws(EndpointCertificateError) {
            return try use(texts.0, texts.1)
        } catch {
            let refusal: (setting: String, path: String, reason: String) =
                switch error {
                case .certificate: ("http.tls.certificate-file", certificate, "has no certificate in PEM")
                case .key: ("http.tls.key-file", key, "has no key in PEM, or one with a passphrase")
                case .mismatch: ("http.tls.key-file", key, "has another key than that of http.tls.certificate-file")
                }
            throw SettingsError("\(refusal.setting) \(SingleLine.shorten(refusal.path)) \(refusal.reason)")
        }
    }
}
