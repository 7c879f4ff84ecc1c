import ArgumentParser
import Testing

@testable import PayloadTracker

/// What a script relies on: exit code 2 and one line for a wrong use, 0 for help.
@Suite struct CommandLineTests {
    @Test(
        "a wrong use exits with 2 and one line",
        arguments: [
            ["bogus"], ["serve", "--http-prt", "1"], ["get"], ["get", "a", "--wait", "30"],
            ["simulate", "--rate", "0"],
            ["simulate", "--time-scale", "0"], ["simulate", "--count", "-1"], ["simulate", "--duration", "x"],
            ["serve", "--http-port"], ["send", "{}", "--payload-id", "a", "--service", "b", "--status", "c"],
            ["get", "a\nb", "c\nd"],
            ["watch", "--count", "0"], ["watch", "--type", "open"], ["watch", "--type", "failed,"],
            ["watch", "abc", "--type", "failed"], ["watch", "abc", "--count", "1"],
        ]
    )
    func wrongUse(arguments: [String]) async throws {
        let error = try #require(throws: (any Error).self) { try PayloadTracker.parseAsRoot(arguments) }
        let ending = PayloadTracker.Ending(of: error)
        #expect(ending.exitCode == 2)
        #expect(!ending.message.isEmpty)
        #expect(!ending.message.contains("\n"))
    }

    @Test(
        "every command explains itself and exits with 0",
        arguments: ["serve", "demo", "send", "get", "watch", "simulate", "status", "topics", "state", "reset"]
    )
    func help(command: String) throws {
        let error = try #require(throws: (any Error).self) {
            var helpCommand = try PayloadTracker.parseAsRoot([command, "--help"])
            try helpCommand.run()
        }
        let ending = PayloadTracker.Ending(of: error)
        #expect(ending.exitCode == 0)
        #expect(ending.message.contains("USAGE: payload-tracker \(command)"))
    }

    @Test("failures keep their exit code and their line")
    func failures() {
        #expect(PayloadTracker.Ending(of: CommandFailure("gone", exitCode: 4)).exitCode == 4)
        #expect(PayloadTracker.Ending(of: SettingsError("wrong")).exitCode == 2)
        #expect(PayloadTracker.Ending(of: CommandFailure("two\nlines")).message == "two\\u{a}lines")
    }
}
