import Foundation
import NIOCore
import NIOEmbedded
import NIOSSL
import Testing

@testable import QueryService

@Suite struct EndpointCertificateTests {
    /// Pooled connections of other instances are such: nobody reads from them until the next question. A stop first closes the endpoint, and
    /// only then leaves the group.
    @Test("a stop does not wait for idle clients to answer the end of their connection, which they do not")
    func silentClient() throws {
        let (certificate, key) = try Self.makeCertificate()
        let endpoint = try EndpointCertificate(certificate: certificate, key: key)
        let loop = EmbeddedEventLoop()
        let server = EmbeddedChannel(
            handler: NIOSSLServerHandler(context: try NIOSSLContext(configuration: endpoint.tlsConfiguration)),
            loop: loop
        )
        var trusting = TLSConfiguration.makeClientConfiguration()
        trusting.certificateVerification = .none
        let client = EmbeddedChannel(
            handler: try NIOSSLClientHandler(context: try NIOSSLContext(configuration: trusting), serverHostname: nil),
            loop: loop
        )
        // Connecting is what begins the handshake; nothing is sent anywhere.
        let address = try SocketAddress(unixDomainSocketPath: "/nowhere")
        server.connect(to: address, promise: nil)
        client.connect(to: address, promise: nil)
        try Self.exchange(client, server, on: loop)

        server.close(promise: nil)
        loop.run()
        #expect(server.isActive, "it waits for an answer")
        loop.advanceTime(by: .seconds(1))
        #expect(!server.isActive)

        client.close(promise: nil)
        loop.advanceTime(by: .seconds(10))
    }

    /// Carries bytes both ways until none are left.
    private static func exchange(_ one: EmbeddedChannel, _ other: EmbeddedChannel, on loop: EmbeddedEventLoop) throws {
        var isMoving = true
        while isMoving {
            isMoving = false
            loop.run()
            for (from, to) in [(one, other), (other, one)] {
                while let bytes = try from.readOutbound(as: ByteBuffer.self) {
                    try to.writeInbound(bytes)
                    isMoving = true
                }
            }
        }
    }

    private static func makeCertificate() throws -> (certificate: Data, key: Data) {
        let directory = FileManager.default.temporaryDirectory.appending(path: "certificate-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let (certificate, key) = (directory.appending(path: "crt"), directory.appending(path: "key"))
        let openssl = Process()
        openssl.executableURL = URL(filePath: "/usr/bin/env")
        openssl.arguments =
            "openssl req -x509 -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=test"
            .split(separator: " ").map(String.init) + ["-keyout", key.path, "-out", certificate.path]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        try #require(openssl.terminationStatus == 0)
        return (try Data(contentsOf: certificate), try Data(contentsOf: key))
    }
}
