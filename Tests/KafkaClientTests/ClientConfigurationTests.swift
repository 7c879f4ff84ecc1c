import KafkaClient
import Testing

@Suite("Configuration")
struct ClientConfigurationTests {
    @Test("A mistyped setting would be ignored, or reported without its name")
    func namesAnUnknownSetting() {
        let error = #expect(throws: KafkaError.self) {
            try Producer(["bootstrap.servers": "localhost:1", "linger.msec": "5"])
        }
        #expect(error?.message.contains("linger.msec") == true)
        #expect(error?.kind == .permanent)
    }

    @Test("A wrong value would be reported without its setting")
    func namesASettingWithAWrongValue() {
        let error = #expect(throws: KafkaError.self) {
            try ClientConfiguration(["security.protocol": "carrier-pigeon"]).validate()
        }
        #expect(error?.message.contains("security.protocol") == true)
        #expect(throws: Never.self) { try ClientConfiguration(["security.protocol": "ssl"]).validate() }
    }

    @Test("Settings that contradict each other would only show later")
    func refusesContradictorySettings() {
        #expect(throws: KafkaError.self) { try Producer(["enable.idempotence": "true", "acks": "1"]) }
    }

    @Test(
        "A password would end up in a log",
        arguments: ["sasl.password", "ssl.key.password", "sasl.oauthbearer.client.secret", "my.Secret.setting"]
    )
    func hidesSecrets(key: String) {
        let configuration = ClientConfiguration([key: "hunter2", "client.id": "visible"])
        #expect(!"\(configuration)".contains("hunter2"))
        #expect("\(configuration)".contains("visible"))
        do throws(KafkaError) {
            try configuration.validate()
        } catch {
            #expect(!"\(error)".contains("hunter2"))
            #expect(error.message.contains(key))
        }
    }

    @Test("A setting from a flag would not beat the one from the file")
    func mergingPrefersTheOther() {
        var configuration = ClientConfiguration(["a": "1", "b": "1"]).merging(["b": "2", "c": "2"])
        #expect(configuration.settings == ["a": "1", "b": "2", "c": "2"])
        configuration["a"] = nil
        #expect(configuration["a"] == nil)
    }

    @Test("A consumer without a group id would fail at its first poll, without saying why")
    func aConsumerNeedsAGroup() {
        let error = #expect(throws: KafkaError.self) { try Consumer(["bootstrap.servers": "localhost:1"]) }
        #expect(error?.message.contains("group.id") == true)
    }
}
