import Foundation

/// Where `watch` writes: line by line, as things happen.
struct WatchOutput {
    let terminal: Terminal
    let isJSON: Bool

    /// Throws when nobody reads on, as in `watch | head -1`.
    func write(_ line: some Sequence<UInt8>) throws(CommandFailure) {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data(line) + Data("\n".utf8))
        } catch {
            throw CommandFailure("cannot write to standard output")
        }
    }

    func write(_ line: String) throws(CommandFailure) { try write(line.utf8) }

    /// What is going on besides, for the person who waits.
    func remark(_ text: String) {
        StandardError.write("payload-tracker: \(SingleLine.escape(text))")
    }
}
