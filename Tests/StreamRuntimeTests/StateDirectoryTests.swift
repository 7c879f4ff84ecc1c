import Foundation
import Testing

@testable import StreamRuntime

/// A wrong state.dir would be told as an error number, or only once Kafka answers.
@Suite struct StateDirectoryTests {
    private func withDirectory(_ body: (_ path: String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "state-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    private func refusal(_ path: String) throws -> String {
        let error = try #require(throws: StreamError.self) { try StateDirectory.make(path) }
        guard case .refusedSettings(let sentence) = error else { throw error }
        #expect(sentence.hasPrefix("state.dir: \(path) cannot be used: ") && sentence.contains("; make it a directory"))
        return sentence
    }

    @Test("a directory that is not there is made, and one that is there is taken")
    func right() throws {
        try withDirectory { path in
            for _ in 0..<2 { try StateDirectory.make("\(path)/state/payload-tracker") }
        }
    }

    @Test("a file in the way is named")
    func file() throws {
        try withDirectory { path in
            try Data().write(to: URL(filePath: "\(path)/file"))
            #expect(try refusal("\(path)/file").contains("\(path)/file is a file;"))
            #expect(try refusal("\(path)/file/below/payload-tracker").contains("\(path)/file is a file;"))
        }
    }

    @Test("a directory that may not be written is named", .enabled(if: geteuid() != 0, "root may write everywhere"))
    func permission() throws {
        try withDirectory { path in
            try FileManager.default.setAttributes([.posixPermissions: 0o500], ofItemAtPath: path)
            #expect(try refusal(path).contains("Permission denied"))
            #expect(try refusal("\(path)/payload-tracker").contains("\(path): Permission denied"))
        }
    }

    @Test(
        "where the system makes no directories, it says which one that is",
        arguments: ["/proc/payload-tracker", "/proc/none/../payload-tracker", "/proc/none/../../proc/x"]
    )
    func system(_ path: String) throws {
        #expect(try refusal(path).contains("/proc"))
    }
}
