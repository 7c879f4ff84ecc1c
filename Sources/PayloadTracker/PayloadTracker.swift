import ArgumentParser
import Foundation

/// The command line.
@main
struct PayloadTracker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "payload-tracker",
        abstract: "Follows payloads through the services that process them, from their status messages in Kafka.",
        version: Version.current,
        subcommands: [
            Serve.self, Demo.self, Send.self, Get.self, Watch.self, StatusCommand.self, Topics.self, Simulate.self,
            State.self, Reset.self, Repartition.self, SettingsReference.self,
        ]
    )

    /// Runs the command. Everything that is wrong with what the user gave exits with 2, and every failure is one line
    /// on standard error.
    static func main() async {
        do {
            var command = try await asyncParseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            let ending = Ending(of: error)
            if ending.exitCode == 0 {
                print(ending.message)
            } else if !ending.message.isEmpty {
                StandardError.write("payload-tracker: \(ending.message)")
            }
            Foundation.exit(ending.exitCode)
        }
    }

    /// How the program ends after an error: what to print (on standard error unless the code is 0) and the exit code.
    struct Ending: Equatable {
        let message: String
        let exitCode: Int32

        init(of error: any Error) {
            if let error = error as? any ExitCodeError {
                (message, exitCode) = (error.description, error.exitCode)
            } else if PayloadTracker.exitCode(for: error) == .validationFailure {
                (message, exitCode) = (SingleLine.escape(Self.usageMessage(error)), 2)
            } else {
                (message, exitCode) = (
                    PayloadTracker.fullMessage(for: error), PayloadTracker.exitCode(for: error).rawValue
                )
            }
        }

        /// ArgumentParser's message on one line: some of them go on in a second one with suggestions.
        private static func usageMessage(_ error: any Error) -> String {
            PayloadTracker.message(for: error).split(separator: "\n").joined(separator: " ")
        }
    }
}
