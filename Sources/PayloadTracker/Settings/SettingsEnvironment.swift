/// The settings in the environment: `PAYLOAD_TRACKER_` and the key in upper case, with `_` for `.` and `-`.
enum SettingsEnvironment {
    static let prefix = "PAYLOAD_TRACKER_"
    /// Names the file with settings; not a setting itself.
    static let fileName = "PAYLOAD_TRACKER_CONFIG"
    /// librdkafka's properties: every `_` behind it is a `.`.
    private static let kafkaPrefix = "PAYLOAD_TRACKER_KAFKA_"

    /// Stall times of single services: every `_` behind it is a `-`, as in the names of most services.
    static let stallAfterPrefix = "PAYLOAD_TRACKER_STALL_AFTER_"

    private static let keyByName = Dictionary(uniqueKeysWithValues: Setting.all.map { ($0.environmentName, $0.key) })

    /// The settings among the variables, by name. Throws for a variable that starts as a setting and is none.
    static func settings(in environment: [String: String]) throws(SettingsError) -> [GivenSetting] {
        var given: [GivenSetting] = []
        for (name, value) in environment.sorted(by: { $0.key < $1.key })
        where name.hasPrefix(prefix) && name != fileName {
            guard let key = keyByName[name] ?? kafkaKey(name, value) ?? stallAfterKey(name, value) else {
                if isKubernetesServiceLink(name, value) { continue }
                throw .unknown(name, from: "the environment", known: keyByName.keys)
            }
            given.append(GivenSetting(key: key, value: value, origin: "\(name) in the environment"))
        }
        return given
    }

    private static func kafkaKey(_ name: String, _ value: String) -> String? {
        guard name.hasPrefix(kafkaPrefix), !isKubernetesServiceLink(name, value) else { return nil }
        let property = name.dropFirst(kafkaPrefix.count).map { $0 == "_" ? "." : String($0) }.joined()
        return "kafka." + property.lowercased()
    }

    private static func stallAfterKey(_ name: String, _ value: String) -> String? {
        guard name.hasPrefix(stallAfterPrefix) else { return nil }
        // What Kubernetes says of a service is an address or a port and no duration.
        if isKubernetesServiceLink(name, value) && DurationText.parse(value) == nil { return nil }
        let key =
            Setting.stallAfterPrefix + name.dropFirst(stallAfterPrefix.count).replacing("_", with: "-").lowercased()
        return Setting.known(key)?.key
    }

    /// Kubernetes tells every container of a namespace about each service there: a service called `payload-tracker`
    /// makes `PAYLOAD_TRACKER_SERVICE_HOST` and its like, which are nobody's mistake.
    private static func isKubernetesServiceLink(_ name: String, _ value: String) -> Bool {
        if name.hasSuffix("_PORT") && value.contains(/^(tcp|udp|sctp):\/\//) { return true }
        return name.contains(/_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/)
    }
}
