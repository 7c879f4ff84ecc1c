/// An error that ends the program: one line for standard error, and the exit code.
protocol ExitCodeError: Error, CustomStringConvertible, Sendable {
    var exitCode: Int32 { get }
}

/// A command that could not do what it was asked for.
struct CommandFailure: ExitCodeError, Equatable {
    let description: String
    let exitCode: Int32

    /// - Parameter exitCode: 1 for a failure, 2 for a wrong use, 4 for what does not exist.
    init(_ description: String, exitCode: Int32 = 1) {
        self.description = SingleLine.escape(description)
        self.exitCode = exitCode
    }
}
