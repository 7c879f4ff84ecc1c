/// An error that ends the program: one line for standard error, and the exit code.
protocol ExitCodeError: Error, CustomStringConvertible, Sendable {
    var exitCode: Int32 { get }
}
