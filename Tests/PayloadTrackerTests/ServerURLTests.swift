import Testing

@testable import PayloadTracker

/// Other instances would be sent to an address that leads back to themselves, or nowhere.
@Suite struct ServerURLTests {
    @Test(
        "an instance is reached where it listens, unless the settings say otherwise",
        arguments: [
            ("127.0.0.1", "", "http://127.0.0.1:8081"), ("tracker-0.local", "", "http://tracker-0.local:8081"),
            ("::1", "", "http://[::1]:8081"), ("0.0.0.0", "https://tracker.example/", "https://tracker.example"),
            ("0.0.0.0", "http://10.0.0.5:80", "http://10.0.0.5:80"),
        ]
    )
    func serverURL(host: String, advertised: String, url: String) throws {
        let settings = try settings(["--http-host", host, "--advertised-url", advertised])
        #expect(settings.serverURL(port: 8081) == url)
    }

    @Test("one that listens on all addresses is reached by the machine's name", arguments: ["0.0.0.0", "::"])
    func anyAddress(host: String) throws {
        let settings = try settings(["--http-host", host])
        let url = settings.serverURL(port: 8081)
        #expect(url.hasPrefix("http://") && url.hasSuffix(":8081"))
        #expect(!url.contains(host))
        #expect(settings.listenURL(port: 8081).contains(host))
    }

    @Test("one with TLS is reached over it")
    func overTLS() throws {
        let settings = try settings(["--set", "http.tls.certificate-file=/tls.crt"])
        #expect(settings.serverURL(port: 8081) == "https://127.0.0.1:8081")
        #expect(settings.listenURL(port: 8081) == "https://127.0.0.1:8081")
    }

    @Test("a secret that is refused is not shown")
    func secretIsHidden() throws {
        let error = try #require(throws: SettingsError.self) { try settings(["--set", "http.peer-secret=too-short"]) }
        #expect(error.description.contains("http.peer-secret") && error.description.contains("16 to 256"))
        #expect(!error.description.contains("too-short"))
    }
}
