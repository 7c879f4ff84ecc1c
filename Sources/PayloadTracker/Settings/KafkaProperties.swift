import KafkaClient

/// The `kafka.*` settings: librdkafka's configuration properties, by librdkafka's names.
///
/// Its description never shows a secret, so that settings can be logged as they are.
struct KafkaProperties: Sendable, Equatable {
    private(set) var values: [String: String]

    init(_ values: [String: String]) {
        self.values = values
    }

    subscript(name: String) -> String? {
        get { values[name] }
        set { values[name] = newValue }
    }

    /// `kafka.bootstrap.servers`, `host:port` with commas between.
    var bootstrapServers: String {
        get { values["bootstrap.servers"] ?? "" }
        set { values["bootstrap.servers"] = newValue }
    }

    /// Whether a property's value must not be shown: passwords, keys and token settings.
    static func isSecret(_ name: String) -> Bool {
        // Misspelt ones, too.
        ["pass", "secret", "key.pem", "sasl.oauthbearer.config"].contains { name.contains($0) }
            || name.hasSuffix("token")
    }

    /// What librdkafka has against a property or its value, nil if nothing.
    static func refusal(name: String, value: String) -> String? {
        do {
            try ClientConfiguration([name: value]).validate()
            return nil
        } catch {
            // Its reason may quote the value.
            if isSecret(name) { return "librdkafka does not take it" }
            // The caller names the property already.
            return String(error.message.trimmingPrefix("\(name): "))
        }
    }

    /// Properties that are not the user's to set: why not, or what to set instead.
    static let reserved: [String: String] = [
        "group.id": "set application.id instead",
        "group.instance.id": "set group.instance.id instead",
        "session.timeout.ms": "set session.timeout instead",
        "auto.offset.reset": "set input.offset-reset instead",
        "enable.auto.commit": "offsets are committed together with the state",
        "enable.auto.offset.store": "offsets are committed together with the state",
        "enable.partition.eof": "restoring a state depends on it",
        "enable.idempotence": "processing.guarantee depends on it",
        "transactional.id": "processing.guarantee depends on it",
        "isolation.level": "processing.guarantee depends on it",
        "partitioner": "payloads are found by Java's murmur2",
    ]
}

extension KafkaProperties: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String {
        values.sorted { $0.key < $1.key }
            .map { name, value in "\(name)=\(Self.isSecret(name) ? "(hidden)" : value)" }
            .joined(separator: " ")
    }

    var debugDescription: String { description }

    var customMirror: Mirror { Mirror(self, children: ["properties": description]) }
}
