extension Settings {
    /// Puts what the sources give over the defaults, later ones over earlier ones, and checks the whole.
    ///
    /// A wrong value is an error even where a later source gives another: a mistake in a file should not wait for the
    /// day when the flag that hides it is gone.
    ///
    /// - Parameters:
    ///   - defaults: what holds where nothing is given.
    ///   - kafkaRefusal: what is wrong with a librdkafka property and its value, nil if nothing is.
    init(
        _ given: [GivenSetting],
        defaults: Settings = Settings(),
        kafkaRefusal: (_ name: String, _ value: String) -> String? = KafkaProperties.refusal
    ) throws(SettingsError) {
        self = defaults
        for setting in given {
            if setting.key.hasPrefix("kafka.") {
                let name = String(setting.key.dropFirst("kafka.".count))
                if let reason = KafkaProperties.reserved[name] ?? kafkaRefusal(name, setting.value) {
                    throw .refused(setting, because: reason)
                }
                kafka[name] = setting.value
            }
            if let known = Setting.known(setting.key) {
                guard known.apply(setting.value, to: &self) else {
                    throw .refused(setting, because: "allowed is \(known.allowed)")
                }
            } else if !setting.key.hasPrefix("kafka.") {
                throw .unknown(setting.key, from: setting.origin, known: Setting.byKey.keys)
            }
        }
        try checkTopicsDiffer(given)
    }

    /// One topic in two roles would feed the tracker its own output.
    private func checkTopicsDiffer(_ given: [GivenSetting]) throws(SettingsError) {
        let topics = [
            ("topics.input", topicsInput), ("topics.outcomes", topicsOutcomes),
            ("topics.dead-letter", topicsDeadLetter),
            ("topics.repartition", repartitionTopic), ("topics.changelog", changelogTopic),
        ]
        var keyByTopic: [String: String] = [:]
        for (key, topic) in topics {
            if let other = keyByTopic.updateValue(key, forKey: topic) {
                let origin = given.last { $0.key == key }?.origin ?? "the defaults"
                throw .refused(
                    GivenSetting(key: key, value: topic, origin: origin),
                    because: "\(other) is the same topic"
                )
            }
        }
    }
}
