/// What may come from a standby's store.
protocol Staleable: Encodable, Sendable {
    /// Records that the store lacked, at most; 0 for the store of a running task.
    var stalenessRecords: Int64 { get }
}

/// An answer that says how far behind it is, for a client that takes a stale one.
struct AnswerWithStaleness<Answer: Staleable>: Encodable {
    let answer: Answer

    private enum CodingKeys: String, CodingKey {
        case stalenessRecords = "staleness_records"
    }

    /// One JSON object: the answer's own fields, and this one.
    func encode(to encoder: any Encoder) throws {
        try answer.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(answer.stalenessRecords, forKey: .stalenessRecords)
    }
}
