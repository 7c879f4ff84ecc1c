import CRdKafka

/// librdkafka's settings by its own names (`bootstrap.servers`, `security.protocol`, …), passed on as they are. Topic
/// settings among them are the default of every topic.
public struct ClientConfiguration: Sendable, Hashable, ExpressibleByDictionaryLiteral, CustomStringConvertible {
    public private(set) var settings: [String: String]

    public init(_ settings: [String: String] = [:]) {
        self.settings = settings
    }

    public init(dictionaryLiteral elements: (String, String)...) {
        settings = Dictionary(elements) { _, last in last }
    }

    public subscript(key: String) -> String? {
        get { settings[key] }
        set { settings[key] = newValue }
    }

    /// These settings, and `other`'s where both have one.
    public func merging(_ other: ClientConfiguration) -> ClientConfiguration {
        ClientConfiguration(settings.merging(other.settings) { _, theirs in theirs })
    }

    /// Throws what creating a client would throw for an unknown name or a value that is wrong by itself; the error names
    /// the setting. Settings that do not go together show only when the client is created.
    public func validate() throws(KafkaError) {
        rd_kafka_conf_destroy(try makeConf())
    }

    /// Secrets are left out.
    public var description: String {
        settings.sorted { $0.key < $1.key }
            .map { "\($0.key)=\(Self.isSecret($0.key) ? "…" : $0.value)" }
            .joined(separator: " ")
    }
}

extension ClientConfiguration {
    /// A new `rd_kafka_conf_t`, the caller's to free or to give to `rd_kafka_new`.
    func makeConf() throws(KafkaError) -> OpaquePointer {
        let conf: OpaquePointer = rd_kafka_conf_new()
        do throws(KafkaError) {
            try Self.apply(settings) { rd_kafka_conf_set(conf, $0, $1, $2, $3) }
        } catch {
            rd_kafka_conf_destroy(conf)
            throw error
        }
        return conf
    }

    /// Gives each setting to `set`, one of the library's `…_conf_set` functions less its first argument, in the order of
    /// their names so that what aliases do to each other is the same at every start.
    static func apply(
        _ settings: [String: String],
        with set: (String, String, UnsafeMutablePointer<CChar>, Int) -> rd_kafka_conf_res_t
    ) throws(KafkaError) {
        var reason = ErrorText()
        for (key, value) in settings.sorted(by: { $0.key < $1.key }) {
            guard set(key, value, &reason.bytes, ErrorText.size) != RD_KAFKA_CONF_OK else { continue }
            // The library's reason may quote the value.
            throw KafkaError(.invalidArgument, "\(key): \(isSecret(key) ? "refused" : reason.string)")
        }
    }

    private static func isSecret(_ key: String) -> Bool {
        let key = key.lowercased()
        return ["password", "secret", "oauthbearer.config", "key.pem"].contains { key.contains($0) }
    }
}
