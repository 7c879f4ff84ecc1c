import HTTPTypes

/// What is wrong with a question or its answer, as the client reads it (RFC 9457).
struct Problem: Error, Encodable {
    let status: HTTPResponse.Status
    /// A sentence a person can act on. Nothing from the inside: that goes to the log.
    let detail: String
    var retryAfterSeconds: Int?
    /// What the client has to show (RFC 9110, section 11.6.1).
    var challenge: String?
    /// A further member of the object, for programs (section 3.2).
    var list: (name: String, sentences: [String])?
    /// Of a stale answer, as in `LocatedDocument`.
    var stalenessRecords: Int64?

    static func badRequest(_ detail: String) -> Problem { Problem(status: .badRequest, detail: detail) }
    static func notFound(_ detail: String) -> Problem { Problem(status: .notFound, detail: detail) }

    private struct Member: CodingKey, ExpressibleByStringLiteral {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init(stringLiteral value: String) { stringValue = value }
        init?(intValue: Int) { nil }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Member.self)
        // RFC 9457, section 4.2.1: the problem is what the status code says, and the title its phrase.
        try container.encode("about:blank", forKey: "type")
        try container.encode(status.reasonPhrase, forKey: "title")
        try container.encode(status.code, forKey: "status")
        try container.encode(detail, forKey: "detail")
        try container.encodeIfPresent(stalenessRecords, forKey: "staleness_records")
        if let list { try container.encode(list.sentences, forKey: Member(stringValue: list.name)) }
    }
}
