import ArgumentParser

/// Runs everything on an embedded broker, with realistic traffic.
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs everything on an embedded broker, with realistic traffic."
    )

    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        _ = try options.settings()
    }
}
