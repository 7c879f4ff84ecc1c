import Testing

@testable import PayloadTracker

/// What an operator of a secured cluster relies on: librdkafka gets its properties, and no log gets its secrets.
@Suite struct KafkaPropertiesTests {
    @Test("librdkafka's properties reach it from every source, the stronger one winning")
    func passedOn() throws {
        let file = """
            kafka:
              bootstrap.servers: broker:9092
              security.protocol: SASL_SSL
              sasl: {mechanism: PLAIN, username: file}
            """
        let environment = [
            "PAYLOAD_TRACKER_KAFKA_SASL_USERNAME": "variable", "PAYLOAD_TRACKER_KAFKA_SOCKET_KEEPALIVE_ENABLE": "true",
        ]
        let kafka = try settings(["--set", "kafka.client.rack=a=b"], file: file, environment: environment).kafka
        #expect(
            kafka.values == [
                "bootstrap.servers": "broker:9092", "security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN",
                "sasl.username": "variable", "socket.keepalive.enable": "true", "client.rack": "a=b",
            ]
        )
    }

    @Test("a property that librdkafka refuses stops the start with its name, its source and its reason")
    func refusedByLibrary() throws {
        let error = try #require(throws: SettingsError.self) {
            try settings(environment: ["PAYLOAD_TRACKER_KAFKA_NO_SUCH_THING": "1"])
        }
        #expect(error.description.contains("kafka.no.such.thing"))
        #expect(error.description.contains("PAYLOAD_TRACKER_KAFKA_NO_SUCH_THING"))
        #expect(error.description.contains("No such configuration property"))
    }

    @Test(
        "a property that would break the tracker's guarantees is refused",
        arguments: KafkaProperties.reserved.keys.sorted()
    )
    func reserved(name: String) throws {
        let error = try #require(throws: SettingsError.self) { try settings(["--set", "kafka.\(name)=x"]) }
        #expect(error.description.contains("kafka.\(name)"))
        #expect(error.exitCode == 2)
    }

    @Test(
        "no secret is shown when settings are logged or refused",
        arguments: [
            "sasl.password", "ssl.key.password", "ssl.keystore.password", "sasl.oauthbearer.client.secret",
            "ssl.key.pem", "sasl.oauthbearer.config", "sasl.passwrd",
        ]
    )
    func secrets(name: String) throws {
        let flags = ["--set", "kafka.\(name)=hunter2", "--set", "kafka.sasl.username=me"]
        // Whether librdkafka knows it depends on how it was built.
        let settings = try settings(flags) { _, _ in nil }
        var dumped = ""
        dump(settings, to: &dumped)
        for text in ["\(settings)", String(reflecting: settings), dumped] {
            #expect(!text.contains("hunter2"))
            #expect(text.contains("sasl.username=me"))
        }
        let error = try #require(throws: SettingsError.self) {
            try PayloadTrackerTests.settings(flags) { _, _ in "wrong" }
        }
        #expect(!error.description.contains("hunter2"))
    }
}
