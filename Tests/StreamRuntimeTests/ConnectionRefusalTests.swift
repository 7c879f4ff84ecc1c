import Testing

@testable import StreamRuntime

/// An operator would be told that Kafka cannot be reached where it is a password that is wrong.
@Suite struct ConnectionRefusalTests {
    private static let broker = "[thrd:sasl_ssl://kafka:9093/bootstrap]: sasl_ssl://kafka:9093/bootstrap: "

    @Test(
        "a refusal is told from a broker that is away, without what differs from one time to the next",
        arguments: [
            (
                "SASL authentication error: Authentication failed: Invalid username or password (after 312ms in state AUTH_REQ)",
                "SASL authentication error: Authentication failed: Invalid username or password"
            ),
            (
                "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed (after 4ms in state SSL_HANDSHAKE, 3 identical error(s) suppressed)",
                "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed"
            ),
            ("Connect to ipv4#127.0.0.1:9093 failed: Connection refused (after 0ms in state CONNECT)", nil),
            ("Disconnected (after 60012ms in state UP)", nil),
        ] as [(String, String?)]
    )
    func refusals(text: String, reason: String?) {
        #expect(ConnectionRefusal(facility: "FAIL", message: Self.broker + text)?.reason == reason)
        #expect(ConnectionRefusal(facility: "CONNECT", message: Self.broker + text) == nil)
    }

    @Test("the same one is told once, another one at once")
    func news() throws {
        let health = StreamHealth()
        let refusals = try ["SASL one", "SASL two"].map {
            try #require(ConnectionRefusal(facility: "FAIL", message: Self.broker + $0))
        }
        #expect(health.isNews(refusals[0]))
        #expect(!health.isNews(refusals[0]))
        #expect(health.isNews(refusals[1]))
    }
}
