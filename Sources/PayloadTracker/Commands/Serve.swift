import ArgumentParser

/// Runs the worker and its HTTP endpoint.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Runs the worker and its HTTP endpoint.")

    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        _ = try options.settings()
    }
}
