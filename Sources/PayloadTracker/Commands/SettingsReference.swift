import ArgumentParser

/// Prints `docs/configuration.md`, so that the page and the program cannot disagree.
struct SettingsReference: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settings-reference",
        abstract: "Prints the reference of all settings as Markdown.",
        shouldDisplay: false
    )

    func run() {
        print(Self.markdown, terminator: "")
    }

    static var markdown: String {
        let rows = Setting.all.map { setting in
            let defaultText = setting.defaultText.isEmpty ? "" : "`\(setting.defaultText)`"
            let flag = setting.flag == nil ? "" : "`\(setting.flagName)`"
            return "| `\(setting.key)` | \(cell(setting.summary)) | \(cell(setting.allowed)) | \(defaultText)"
                + " | \(flag) | `\(setting.environmentName)` |"
        }
        let reserved = KafkaProperties.reserved.sorted { $0.key < $1.key }.map { "| `kafka.\($0)` | \($1) |" }
        return introduction + rows.joined(separator: "\n") + services + kafka + reserved.joined(separator: "\n") + "\n"
    }

    private static func cell(_ text: String) -> String {
        text.replacing("<", with: "&lt;").replacing("|", with: "\\|")
    }

    private static let introduction = """
        <!-- Written by `payload-tracker settings-reference > docs/configuration.md`: do not edit by hand. -->
        # Configuration

        Every setting has one name, its key. It can be given, from the strongest to the weakest, as

        1. a flag: its own where the table has one, and `--set key=value` for any; its own flag beats `--set`,
        2. an environment variable: `PAYLOAD_TRACKER_` and the key in upper case with `_` for `.` and `-`,
        3. an entry of a YAML or JSON file, named by `--config FILE` or `PAYLOAD_TRACKER_CONFIG`. Maps may be nested or
           keys dotted: `http: {port: 8081}` and `http.port: 8081` are the same. Lists may be YAML lists; `null` is not
           given.

        A wrong value or an unknown name, in any of the three, stops the start with exit code 2 and one line that names
        it. Variables that Kubernetes makes for a service called `payload-tracker` (`PAYLOAD_TRACKER_SERVICE_HOST` and
        its like) are left alone.

        Durations are a whole number with its unit, `ms`, `s`, `m`, `h` or `d`, or `0`. Bytes are a whole number, alone
        or with `KiB`, `MiB` or `GiB`. Lists have commas between their elements.

        | key | meaning | allowed | default | flag | environment |
        | --- | --- | --- | --- | --- | --- |

        """

    private static let services = """


        ## Stall times of single services

        `stall.after.<service>` is the `stall.after` of payloads that wait in that service: `stall.after.puptoo: 5m`. A payload waits
        in the services of its stages that count and are at received or processing. Where it waits in several, the shortest of
        their times holds, and `stall.after` is that of a service without its own; `0` means that waiting there never makes it
        stall. Where it waits in none (all stages are done, and a required service is missing), it is `stall.after`.

        The service is everything behind `stall.after.`, in any case. In the environment every `_` behind `STALL_AFTER_` is a
        `-`: `PAYLOAD_TRACKER_STALL_AFTER_INSIGHTS_ENGINE` is `stall.after.insights-engine`. A name with another character than
        letters, digits and dashes needs the file or `--set`. An empty value leaves the setting out.
        """

    private static let kafka = """


        ## Kafka's own properties

        Every other `kafka.*` setting goes to librdkafka as it is, under the name without `kafka.`: `kafka.sasl.username`
        is librdkafka's `sasl.username`. In the environment every `_` behind `KAFKA_` is a `.`:
        `PAYLOAD_TRACKER_KAFKA_SASL_USERNAME`. Passwords, keys and secrets are never logged. A value that librdkafka
        refuses stops the start too. These are not yours to set:

        | setting | why |
        | --- | --- |

        """
}
