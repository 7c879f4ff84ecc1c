/// Cuts a stream of bytes into lines, whatever the bytes are: a message that is not text must be sent as it is too.
struct LineSplitter {
    private var unfinished: [UInt8] = []

    /// The lines that these bytes finish, without their newlines.
    mutating func append(_ bytes: some Collection<UInt8>) -> [[UInt8]] {
        var pieces = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { Array($0) }
        let last = pieces.removeLast()
        guard !pieces.isEmpty else {
            unfinished += last
            return []
        }
        pieces[0] = unfinished + pieces[0]
        unfinished = last
        return pieces
    }

    /// What is left when the stream ends without a newline.
    consuming func finish() -> [UInt8] {
        unfinished
    }
}
