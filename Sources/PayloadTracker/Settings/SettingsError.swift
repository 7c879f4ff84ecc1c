/// A setting that stops the start: one line that names it, says where it came from and what would be right.
struct SettingsError: ExitCodeError, Equatable {
    let description: String
    var exitCode: Int32 { 2 }

    init(_ description: String) {
        self.description = SingleLine.escape(description)
    }

    static func refused(_ given: GivenSetting, because reason: String) -> SettingsError {
        let isSecret = KafkaProperties.isSecret(given.key)
        let value = isSecret ? "its value" : "\"\(SingleLine.shorten(given.value))\""
        return SettingsError("\(given.key): \(value) (from \(given.origin)) is refused: \(reason)")
    }

    static func unknown(_ name: String, from origin: String, known: some Sequence<String>) -> SettingsError {
        let suggestion = NearestName.find(name, in: Array(known) + stallAfter(like: name)).map { "did you mean \($0)?" }
        return SettingsError(
            "\(SingleLine.shorten(name)) (from \(origin)) is not a setting; \(suggestion ?? "see docs/configuration.md")"
        )
    }

    /// `stall.after.<service>` with the service that `name` ends with: no list has the names of services.
    private static func stallAfter(like name: String) -> [String] {
        let isVariable = name.hasPrefix(SettingsEnvironment.prefix)
        let prefix = isVariable ? SettingsEnvironment.stallAfterPrefix : Setting.stallAfterPrefix
        let separator: Character = isVariable ? "_" : "."
        let service = name.split(separator: separator).dropFirst(prefix.split(separator: separator).count)
        let meant = prefix + service.joined(separator: String(separator))
        return service.isEmpty || meant == name ? [] : [meant]
    }
}
