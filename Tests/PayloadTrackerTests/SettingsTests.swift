import ArgumentParser
import Foundation
import PayloadModel
import Testing

@testable import PayloadTracker

/// What an operator relies on: one name for each setting, the strongest source wins, and mistakes are told.
@Suite struct SettingsTests {
    @Test("without any setting the tracker starts with the documented defaults")
    func defaults() throws {
        let settings = try settings()
        #expect(settings == Settings())
        #expect(settings.repartitionTopic == "payload-tracker-status-repartition")
        #expect(settings.changelogTopic == "payload-tracker-payload-changelog")
        #expect(settings.completionSettle == .seconds(60))
        #expect(settings.stallAfter == .seconds(3600))
        #expect(settings.retention == .seconds(7 * 86_400))
        #expect(settings.statusMsgMaxBytes == 4096)
        #expect(settings.historyMaxBytes == 524_288)
    }

    @Test("a flag beats --set, which beats the environment, which beats the file")
    func precedence() throws {
        let file = "http: {port: 1}"
        let environment = ["PAYLOAD_TRACKER_HTTP_PORT": "2"]
        #expect(try settings(file: file).httpPort == 1)
        #expect(try settings(file: file, environment: environment).httpPort == 2)
        #expect(try settings(["--set", "http.port=3"], file: file, environment: environment).httpPort == 3)
        let flags = ["--http-port", "4", "--set", "http.port=3"]
        #expect(try settings(flags, file: file, environment: environment).httpPort == 4)
    }

    @Test("every setting can be given by its key, its variable and its flag", arguments: Setting.all.map(\.key))
    func allSources(key: String) throws {
        let setting = try #require(Setting.byKey[key])
        let text = Self.otherValues[key] ?? setting.defaultText
        let wanted = try Settings([GivenSetting(key: key, value: text, origin: "a test")])
        #expect(wanted != Settings(), "the test needs a value for \(key) that is not the default")
        #expect(try settings(file: "{\"\(key)\": \"\(text)\"}") == wanted)
        #expect(try settings(environment: [setting.environmentName: text]) == wanted)
        #expect(try settings(["--set", "\(key)=\(text)"]) == wanted)
        if setting.flag != nil {
            #expect(try settings([setting.flagName, text]) == wanted)
        }
    }

    @Test("a wrong value in any source stops the start, even where another source hides it")
    func hiddenMistake() {
        let error = #expect(throws: SettingsError.self) {
            try settings(["--http-port", "8080"], environment: ["PAYLOAD_TRACKER_HTTP_PORT": "many"])
        }
        #expect(error?.description.contains("PAYLOAD_TRACKER_HTTP_PORT") == true)
    }

    @Test(
        "a mistake is one line that names the setting, its source and what is allowed, and exits with 2",
        arguments: [
            ("http.jwt.jwks-url", "http://sso.example.com/certs", "an https URL"),
            ("http.jwt.read-scope", "read write", "without spaces"),
            ("http.port", "99999", "from 0 to 65535"), ("http.port", "", "from 0 to 65535"),
            ("stall.after", "60", "500ms, 60s"), ("stall.after", "-1s", "500ms, 60s"),
            ("stall.after", "99999999999999999999d", "500ms"), ("stall.after", "9223372036854775807d", "500ms"),
            ("retention", "0", "from 1ms"), ("status-msg.max-bytes", "15", "from 16"),
            ("status-msg.max-bytes", "64kb", "from 16"), ("history.max-entries", "100001", "to 100000"),
            ("processing.guarantee", "twice", "at_least_once or exactly_once"),
            ("status.aliases", "boom", "word=status"), ("status.aliases", "boom=broken", "word=status"),
            ("status.aliases", "success=failure", "word=status"), ("status.aliases", "a=failure,a=success", "once"),
            ("topics.input", "no spaces", "letters"), ("advertised.url", "ftp://host", "http"),
            ("advertised.url", "http://host/path", "without a path"), ("input.keyed-by-payload-id", "yes", "true"),
            ("application.id", String(repeating: "a", count: 201), "200"), ("session.timeout", "0", "from 1s"),
        ]
    )
    func wrongValue(key: String, value: String, allowed: String) throws {
        let error = try #require(throws: SettingsError.self) { try settings(["--set", "\(key)=\(value)"]) }
        #expect(error.exitCode == 2)
        #expect(error.description.hasPrefix("\(key): "))
        #expect(error.description.contains("--set"))
        #expect(error.description.contains(allowed))
        #expect(!error.description.contains("\n"))
    }

    @Test("a value that would break the terminal or the line is shown escaped and cut")
    func hostileValue() throws {
        let value = "1\n2\u{1B}[31m" + String(repeating: "x", count: 500)
        let error = try #require(throws: SettingsError.self) { try settings(["--set", "http.port=\(value)"]) }
        #expect(error.description.contains("1\\u{a}2\\u{1b}[31m"))
        #expect(error.description.count < 300)
    }

    @Test("a mistyped name is told with the name that was meant, whatever the source")
    func unknownNames() throws {
        let inFile = try #require(throws: SettingsError.self) { try settings(file: "a: 1\n\nhttp:\n  prt: 1") }
        #expect(inFile.description.contains("is not a setting"))
        let nested = try #require(throws: SettingsError.self) { try settings(file: "\nhttp:\n  prt: 1") }
        #expect(nested.description.contains("line 3"))
        #expect(nested.description.contains("did you mean http.port?"))
        let null = try #require(throws: SettingsError.self) { try settings(file: "stall.aftr: ~") }
        #expect(null.description.contains("did you mean stall.after?"))
        let variable = try #require(throws: SettingsError.self) {
            try settings(environment: ["PAYLOAD_TRACKER_STAL_AFTER": "1h"])
        }
        #expect(variable.description.contains("did you mean PAYLOAD_TRACKER_STALL_AFTER?"))
        let assignment = try #require(throws: SettingsError.self) { try settings(["--set", "retentoin=1h"]) }
        #expect(assignment.description.contains("did you mean retention?"))
        #expect(throws: SettingsError.self) { try settings(["--set", "retention"]) }
    }

    @Test("a service's own stall time is read alike from the file, the environment and --set, and can be undone")
    func stallAfterOfServices() throws {
        let wanted = ["insights-engine": Duration.seconds(300), "puptoo": .zero]
        let nested = "stall:\n  after:\n    Insights-Engine: 5m\n    puptoo: 0"
        #expect(try settings(file: nested).stallAfterByService == wanted)
        let dotted = "stall.after: 2h\nstall.after.puptoo: 0\nstall.after.insights-engine: 5m"
        #expect(try settings(file: dotted).stallAfterByService == wanted)
        #expect(try settings(file: dotted).stallAfter == .seconds(7_200))
        let environment = [
            "PAYLOAD_TRACKER_STALL_AFTER_INSIGHTS_ENGINE": "5m", "PAYLOAD_TRACKER_STALL_AFTER_PUPTOO": "0",
        ]
        #expect(try settings(environment: environment).stallAfterByService == wanted)
        let flags = ["--set", "stall.after.insights-engine=5m", "--set", "stall.after.a_b.c=1s"]
        #expect(
            try settings(flags, environment: ["PAYLOAD_TRACKER_STALL_AFTER_PUPTOO": "0"]).stallAfterByService
                == wanted.merging(["a_b.c": .seconds(1)]) { $1 }
        )
        #expect(try settings(["--set", "stall.after.puptoo="], file: nested).stallAfterByService["puptoo"] == nil)
        let rules = try settings(environment: environment).rules
        #expect(rules.stallAfterByService == ["insights-engine": 300_000_000, "puptoo": 0])
    }

    @Test("a mistake in a service's stall time is told as any other")
    func stallAfterMistakes() throws {
        let value = try #require(throws: SettingsError.self) { try settings(["--set", "stall.after.puptoo=5"]) }
        #expect(value.description.hasPrefix("stall.after.puptoo: "))
        #expect(value.description.contains("500ms"))
        let key = try #require(throws: SettingsError.self) { try settings(["--set", "stall.aftr.puptoo=5m"]) }
        #expect(key.description.contains("did you mean stall.after.puptoo?"))
        let variable = try #require(throws: SettingsError.self) {
            try settings(environment: ["PAYLOAD_TRACKER_STAL_AFTER_PUPTOO": "5m"])
        }
        #expect(variable.description.contains("did you mean PAYLOAD_TRACKER_STALL_AFTER_PUPTOO?"))
        let empty = try #require(throws: SettingsError.self) { try settings(["--set", "stall.after.=5m"]) }
        #expect(empty.description.contains("did you mean stall.after?"))
        let long = String(repeating: "s", count: 129)
        #expect(throws: SettingsError.self) { try settings(["--set", "stall.after.\(long)=5m"]) }
        // A service may be called like what Kubernetes makes; a duration tells which it is.
        let link = ["PAYLOAD_TRACKER_STALL_AFTER_SERVICE_HOST": "10.0.0.1"]
        #expect(try settings(environment: link) == Settings())
        let service = ["PAYLOAD_TRACKER_STALL_AFTER_MY_SERVICE_HOST": "5m"]
        #expect(try settings(environment: service).stallAfterByService == ["my-service-host": .seconds(300)])
    }

    @Test("variables that Kubernetes makes for a service of the tracker's name do not stop the start")
    func serviceLinks() throws {
        let links = [
            "SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_8080_TCP", "PORT_8080_TCP_ADDR",
            "KAFKA_SERVICE_HOST", "KAFKA_PORT_9092_TCP_PROTO", "API_SERVICE_PORT",
        ]
        let environment = Dictionary(uniqueKeysWithValues: links.map { ("PAYLOAD_TRACKER_\($0)", "tcp://10.0.0.1:1") })
        #expect(try settings(environment: environment) == Settings())
    }

    @Test(
        "a variable that only looks like one of those is a mistake",
        arguments: ["PORT", "HTTPS_PORT", "SERVER_PORT"]
    )
    func noServiceLink(_ name: String) {
        #expect(throws: SettingsError.self) { try settings(environment: ["PAYLOAD_TRACKER_\(name)": "9000"]) }
    }

    @Test(
        "commands that ask an instance find it by the settings that it has",
        arguments: [
            ([], "http://127.0.0.1:8080"), (["--http-port", "9123"], "http://127.0.0.1:9123"),
            (["--http-host", "0.0.0.0"], "http://127.0.0.1:8080"), (["--http-host", "::"], "http://[::1]:8080"),
            (["--advertised-url", "https://tracker.example"], "https://tracker.example"),
            (["--set", "http.tls.certificate-file=/tls.crt"], "https://127.0.0.1:8080"),
        ]
    )
    func reachableURL(_ flags: [String], _ url: String) throws {
        #expect(try settings(flags).reachableURL == url)
    }

    @Test("a command's own defaults hold where nothing is given, and nowhere else")
    func ownDefaults() throws {
        var defaults = Settings()
        defaults.httpPort = 0
        #expect(try Settings([], defaults: defaults).httpPort == 0)
        let given = GivenSetting(key: "http.port", value: "8080", origin: "a test")
        #expect(try Settings([given], defaults: defaults).httpPort == 8080)
    }

    @Test("two roles on one topic stop the start: the tracker would read its own output")
    func distinctTopics() throws {
        let error = try #require(throws: SettingsError.self) {
            try settings(["--topics-outcomes", "platform.payload-status"])
        }
        #expect(error.description.contains("topics.outcomes"))
        #expect(error.description.contains("topics.input"))
        #expect(throws: SettingsError.self) {
            try settings(["--topics-dead-letter", "payload-tracker-payload-changelog"])
        }
    }

    @Test("lists and aliases are read alike from a YAML list, a map and a text")
    func lists() throws {
        let text = try settings(["--set", "services.ignored= Tasks , rhc,,"])
        #expect(text.servicesIgnored == ["tasks", "rhc"])
        #expect(
            try settings(file: "services:\n  ignored:\n    - Tasks\n    - rhc").servicesIgnored == ["tasks", "rhc"]
        )
        let aliases: [String: Status] = ["boom": .failure, "fine": .success]
        #expect(try settings(["--set", "status.aliases=Boom=failure, fine=SUCCESS"]).statusAliases == aliases)
        #expect(try settings(file: "status: {aliases: {boom: failure, fine: success}}").statusAliases == aliases)
    }

    private static let otherValues = [
        "kafka.bootstrap.servers": "a:1,b:2", "application.id": "other", "topics.input": "in", "topics.outcomes": "out",
        "topics.dead-letter": "dead", "topics.repartition": "hop", "topics.changelog": "log", "topics.partitions": "12",
        "topics.replication-factor": "3", "state.dir": "/s", "store.block-cache": "2GiB", "store.write-buffers": "1MiB",
        "store.cache": "1MiB",
        "http.peer-secret": "0123456789abcdef",
        "http.tokens-file": "/tokens", "http.token": "0123456789abcdef",
        "http.jwt.issuer": "https://sso.example.com/realms/x", "http.jwt.audience": "tracker",
        "http.jwt.jwks-file": "/jwks.json", "http.jwt.jwks-url": "https://sso.example.com/certs?x=1",
        "http.jwt.read-scope": "tracker:read", "http.jwt.metrics-scope": "tracker:metrics",
        "http.jwt.org-id-claim": "identity.org_id", "http.jwt.without-org-id": "all",
        "http.rate-limit": "10", "http.tls.certificate-file": "/tls.crt", "http.tls.key-file": "/tls.key",
        "http.tls.ca-file": "/ca.crt",
        "http.host": "0.0.0.0", "http.port": "0", "advertised.url": "http://10.0.0.5:8080", "stream.threads": "4",
        "processing.guarantee": "at_least_once", "commit.interval": "1s", "transaction.timeout": "20s",
        "group.instance.id": "one",
        "session.timeout": "10s", "standby.replicas": "2", "input.keyed-by-payload-id": "true",
        "input.offset-reset": "latest", "status.aliases": "boom=failure", "status-msg.max-bytes": "64KiB",
        "completion.settle": "0", "completion.required-services": "ingress,puptoo", "services.ignored": "tasks",
        "stall.after": "500ms", "stage.recovery": "sticky", "history.max-entries": "1", "history.max-bytes": "1024",
        "retention": "30d", "log.level": "debug", "log.format": "json",
    ]
}

/// The settings that a command would start with.
func settings(
    _ flags: [String] = [],
    file: String? = nil,
    environment: [String: String] = [:],
    kafkaRefusal: (String, String) -> String? = KafkaProperties.refusal
) throws -> Settings {
    let options = try SettingsOptions.parse(flags)
    guard let file else { return try options.settings(environment: environment, kafkaRefusal: kafkaRefusal) }
    let url = FileManager.default.temporaryDirectory.appending(path: "tracker-\(UUID().uuidString).yaml")
    try Data(file.utf8).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    var environment = environment
    environment["PAYLOAD_TRACKER_CONFIG"] = url.path()
    return try options.settings(environment: environment, kafkaRefusal: kafkaRefusal)
}
