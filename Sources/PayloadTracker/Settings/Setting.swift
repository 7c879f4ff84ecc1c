/// One setting: its one name, what it takes, and where its value lives in `Settings`.
struct Setting: Sendable {
    /// The name in the file, and after `--set`.
    let key: String
    let summary: String
    /// The values it takes, as a phrase.
    let allowed: String
    /// The default as it would be written, empty where there is none.
    let defaultText: String
    /// The flag's value on the command line, for the settings that have a flag of their own.
    let flag: (@Sendable (SettingsOptions) -> String?)?

    private let assign: @Sendable (String, inout Settings) -> Bool

    init<Value>(
        _ key: String,
        _ property: any WritableKeyPath<Settings, Value> & Sendable,
        _ type: SettingType<Value>,
        _ summary: String,
        flag: (@Sendable (SettingsOptions) -> String?)? = nil
    ) {
        self.key = key
        self.summary = summary
        self.allowed = type.allowed
        self.defaultText = type.format(Settings()[keyPath: property])
        self.flag = flag
        self.assign = { text, settings in
            guard let value = type.parse(text) else { return false }
            settings[keyPath: property] = value
            return true
        }
    }

    /// Puts the text's value into `settings`; false, and nothing is changed, when the text is refused.
    func apply(_ text: String, to settings: inout Settings) -> Bool {
        assign(text, &settings)
    }

    /// `http.port` is `PAYLOAD_TRACKER_HTTP_PORT`.
    var environmentName: String {
        let name = key.map { $0 == "." || $0 == "-" ? "_" : String($0) }.joined()
        return SettingsEnvironment.prefix + name.uppercased()
    }

    /// `http.port` is `--http-port`.
    var flagName: String {
        "--" + key.map { $0 == "." ? "-" : String($0) }.joined()
    }
}
