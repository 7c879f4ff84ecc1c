/// What a service says of a payload. The order is the rank of the contract's section 3 (received, processing, terminal), and among
/// the terminal ones success < invalid < failure.
public enum Status: UInt8, Hashable, Comparable, Sendable, CaseIterable {
    case received = 0
    case processing = 1
    case success = 2
    case invalid = 3
    case failure = 4

    public var name: String {
        switch self {
        case .received: "received"
        case .processing: "processing"
        case .success: "success"
        case .invalid: "invalid"
        case .failure: "failure"
        }
    }

    public init?(name: String) {
        guard let status = Status.allCases.first(where: { $0.name == name }) else { return nil }
        self = status
    }

    public var isTerminal: Bool { self >= .success }
    public var isFailing: Bool { self >= .invalid }

    public static func < (a: Status, b: Status) -> Bool { a.rawValue < b.rawValue }
}

/// The words that producers say, each with the status it stands for.
public struct StatusVocabulary: Sendable {
    /// By their length in bytes: so few have the same that looking at each is faster than a dictionary.
    private let words: [[(status: Status, word: Text)]]

    /// `aliases` are added to the defaults, and win over them; the five statuses themselves always stand for themselves.
    public init(aliases: [String: Status] = [:]) {
        var statuses: [Text: Status] = [:]
        for (word, status) in StatusVocabulary.defaultAliases { statuses[Text(word)] = status }
        for (word, status) in aliases { statuses[Text(word.lowercased())] = status }
        for status in Status.allCases { statuses[Text(status.name)] = status }
        var words: [[(status: Status, word: Text)]] = []
        for (word, status) in statuses {
            while words.count <= word.byteCount { words.append([]) }
            words[word.byteCount].append((status, word))
        }
        self.words = words
    }

    /// Words that real producers send.
    public static let defaultAliases: [String: Status] = [
        "error": .failure, "failed": .failure, "processing_error": .failure, "rejected": .failure,
        "processing_success": .success, "successful": .success, "completed": .success,
        "recieved": .received,
        "processed": .processing, "validated": .processing, "announced": .processing, "advertised": .processing,
    ]

    /// The status that a word in lower case stands for, and the word.
    func entry(of bytes: UnsafeRawBufferPointer) -> (Status, Text)? {
        guard bytes.count < words.count else { return nil }
        for entry in words[bytes.count] where entry.word.hasBytes(bytes) { return entry }
        return nil
    }
}
