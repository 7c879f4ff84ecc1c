import ArgumentParser
import Foundation

/// Writes status messages to the input topic, from arguments or from lines on standard input.
///
/// Synchronous, so that it runs on the main thread: it waits for the broker and for the next line.
struct Send: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends status messages: from arguments, or one from each line on standard input.",
        discussion: "JSON and lines are sent as they are, blank lines are skipped.",
    )

    @Argument(help: "Messages as JSON.") var messages: [String] = []

    @OptionGroup(title: "Message") var message: StatusMessageOptions
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func validate() throws {
        if !messages.isEmpty && message.json != nil {
            throw ValidationError("a message comes as JSON or from --payload-id and its like, not both")
        }
    }

    func run() throws {
        let settings = try options.settings()
        let producer = try StatusProducer(settings)
        if let json = message.json {
            try producer.send(json)
        } else if !messages.isEmpty {
            for message in messages { try producer.send(Array(message.utf8)) }
        } else {
            try sendLines(to: producer)
        }
        try producer.finish()
        print("sent \(producer.writtenCount) to \(producer.topic)")
    }

    private func sendLines(to producer: StatusProducer) throws(CommandFailure) {
        var splitter = LineSplitter()
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            // Not FileHandle, which waits until the buffer is full: a line is sent when it is there.
            let count = read(STDIN_FILENO, &buffer, buffer.count)
            guard count >= 0 else {
                if errno == EINTR { continue }
                throw CommandFailure("cannot read standard input: \(String(cString: strerror(errno)))")
            }
            let lines = count > 0 ? splitter.append(buffer[..<count]) : [splitter.finish()]
            for line in lines where !Self.isBlank(line) {
                try producer.send(line)
            }
            try producer.throwFirstFailure()
            if count == 0 { return }
        }
    }

    private static func isBlank(_ line: [UInt8]) -> Bool {
        line.allSatisfy { [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r")].contains($0) }
    }
}
