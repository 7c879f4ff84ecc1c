import Foundation
import Logging
import QueryService
import Testing

@testable import PayloadTracker

/// What an operator is told whose certificate is wrong: the endpoint must not start without TLS, nor go down with a renewal that went wrong.
@Suite struct TLSTests {
    /// A certificate that is its own authority, and its key, in a directory of their own while `body` runs.
    private func withCertificates<Result>(
        _ names: [String],
        _ body: (_ path: (String) -> String) throws -> Result
    ) throws -> Result {
        let directory = FileManager.default.temporaryDirectory.appending(path: "tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = { (name: String) in directory.appending(path: name).path }
        for name in names { try Self.makeCertificate(path("\(name).crt"), path("\(name).key")) }
        return try body(path)
    }

    private static func makeCertificate(_ certificate: String, _ key: String, days: Int = 2) throws {
        let openssl = Process()
        openssl.executableURL = URL(filePath: "/usr/bin/env")
        openssl.arguments =
            "openssl req -x509 -days \(days) -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=test"
            .split(separator: " ").map(String.init) + ["-keyout", key, "-out", certificate]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        try #require(openssl.terminationStatus == 0)
    }

    private func open(_ certificate: String?, _ key: String?, _ authorities: String? = nil) throws -> TLSFiles {
        var settings = Settings()
        settings.httpTLSCertificateFile = certificate
        settings.httpTLSKeyFile = key
        settings.httpTLSCAFile = authorities
        return try TLSFiles(settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test("files that are right are taken, and none are needed")
    func right() throws {
        #expect(try open(nil, nil).certificate == nil)
        #expect(try open(nil, nil).samples.isEmpty)
        #expect(try open(nil, nil).authorities.tlsConfiguration == nil)
        try withCertificates(["a"]) { path in
            let files = try open(path("a.crt"), path("a.key"), path("a.crt"))
            let validity = try #require(files.certificate?.validity)
            #expect((1.9 * 86_400...2.1 * 86_400).contains(validity.until.timeIntervalSinceNow))
            #expect(!TLSFiles.isOverdue(from: validity.from, until: validity.until))
            #expect(files.authorities.tlsConfiguration != nil)
        }
    }

    @Test(
        "a renewal is overdue with a tenth of the time left, at most three days",
        arguments: [(365.0, 3.1, false), (365, 2.9, true), (1, 0.11, false), (1, 0.09, true), (90, -1, true)]
    )
    func overdue(days: Double, left: Double, isOverdue: Bool) {
        let now = Date()
        let until = now + left * 86_400
        #expect(TLSFiles.isOverdue(from: until - days * 86_400, until: until, now: now) == isOverdue)
    }

    @Test("files that are wrong stop the start with a line that names the setting, and shows nothing of a key")
    func wrong() throws {
        try withCertificates(["a", "b"]) { path in
            let (certificate, key) = (path("a.crt"), path("a.key"))
            let cases: [(String?, String?, String?, String)] = [
                (certificate, nil, nil, "http.tls.certificate-file is of no use without http.tls.key-file"),
                (nil, key, nil, "http.tls.key-file is of no use without http.tls.certificate-file"),
                (path("none"), key, nil, "http.tls.certificate-file \(path("none")) cannot be read"),
                (certificate, path("none"), nil, "http.tls.key-file \(path("none")) cannot be read"),
                (key, key, nil, "http.tls.certificate-file \(key) has no certificate"),
                (certificate, certificate, nil, "http.tls.key-file \(certificate) has no key"),
                (certificate, path("b.key"), nil, "http.tls.key-file \(path("b.key")) has another key"),
                (certificate, key, key, "http.tls.ca-file \(key) has no certificate"),
            ]
            for (certificate, key, authorities, message) in cases {
                let error = try #require(throws: SettingsError.self) { try open(certificate, key, authorities) }
                #expect(error.description.hasPrefix(SingleLine.shorten(message, to: 500)) && error.exitCode == 2)
                #expect(!error.description.contains("PRIVATE"))
            }
        }
    }

    @Test("metrics say when clients refuse the certificate: with the first of its chain that has run out")
    func expiry() throws {
        try withCertificates(["a"]) { path in
            try Self.makeCertificate(path("long.crt"), path("long.key"), days: 9)
            let whole = try ["long.crt", "a.crt"].map { try Data(contentsOf: URL(filePath: path($0))) }
            try whole.reduce(Data(), +).write(to: URL(filePath: path("chain.crt")))
            let files = try open(path("chain.crt"), path("long.key"))
            let page = PrometheusMetrics().exposition(adding: files.samples)
            let line = try #require(page.firstMatch(of: /payload_tracker_http_certificate_\w+_seconds (\d+)/))
            let seconds = try #require(Double(line.1))
            #expect(try seconds == open(path("a.crt"), path("a.key")).certificate?.validity.until.timeIntervalSince1970)
        }
    }

    @Test("a renewal counts once it is whole; before that, what there was does")
    func renewal() throws {
        try withCertificates(["a", "b"]) { path in
            let texts = try ["a.crt", "a.key", "b.crt", "b.key"].map { try Data(contentsOf: URL(filePath: path($0))) }
            let certificate = try EndpointCertificate(certificate: texts[0], key: texts[1])
            #expect(try !certificate.replace(certificate: texts[0], key: texts[1]))
            #expect(throws: EndpointCertificateError.mismatch) {
                try certificate.replace(certificate: texts[0], key: texts[3])
            }
            #expect(try certificate.replace(certificate: texts[2], key: texts[3]))
        }
    }
}
