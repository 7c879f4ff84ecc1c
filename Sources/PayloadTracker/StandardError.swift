import Foundation

/// Where log lines and errors go. What cannot be written, because the disk is full or nobody reads on, is lost: no reason to stop.
enum StandardError {
    /// - Parameter line: without its end.
    static func write(_ line: String) {
        // Without `contentsOf` Foundation traps where it cannot write.
        try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
    }
}
