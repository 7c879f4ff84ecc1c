import Foundation

/// A yes from a person, before something that cannot be taken back.
enum Confirmation {
    /// - Parameters:
    ///   - question: what is asked.
    ///   - command: that asks, and what it does after a yes, for where nobody can be asked: that is exit code 2.
    static func isGiven(_ question: String, command: String, before action: String) throws(CommandFailure) -> Bool {
        guard isatty(STDIN_FILENO) == 1 else {
            throw CommandFailure("\(command) asks before \(action): run it in a terminal, or with --yes", exitCode: 2)
        }
        print("\(question) Type yes to go on: ", terminator: "")
        fflush(nil)
        return readLine()?.lowercased() == "yes"
    }
}
