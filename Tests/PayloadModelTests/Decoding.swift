import PayloadModel

/// Decodes values as the worker does, one decoder for all of them.
struct Decoding {
    static let recordTimestamp: Int64 = 1_700_000_000_123
    static let base: [(String, String)] = [
        ("request_id", "\"\(Payload.id)\""), ("service", "\"puptoo\""), ("status", "\"received\""),
    ]

    let decoder: StatusDecoder

    init(aliases: [String: Status] = [:], statusMessageMaxBytes: Int = 4 << 10) {
        decoder = StatusDecoder(
            vocabulary: StatusVocabulary(aliases: aliases),
            statusMessageMaxBytes: statusMessageMaxBytes
        )
    }

    func callAsFunction(_ value: [UInt8]) throws(Refusal) -> StatusMessage {
        // A copy of exactly that size, so that reading past the end is reading past the allocation.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: value.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: value)
        return try decoder.decode(UnsafeRawBufferPointer(copy), recordTimestamp: Decoding.recordTimestamp)
    }

    func callAsFunction(_ value: String) throws(Refusal) -> StatusMessage { try self(Array(value.utf8)) }

    /// A good message with some members (as JSON) set or, for nil, left out.
    func callAsFunction(with members: [String: String?]) throws(Refusal) -> StatusMessage {
        try self(Decoding.value(with: members))
    }

    static func value(with members: [String: String?]) -> String {
        var all = base.filter { members[$0.0] == nil }
        for (name, json) in members.sorted(by: { $0.key < $1.key }) {
            if let json { all.append((name, json)) }
        }
        return "{" + all.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }

    func reason(_ value: [UInt8]) -> Refusal.Reason? {
        do {
            _ = try self(value)
            return nil
        } catch {
            return error.reason
        }
    }

    func reason(_ value: String) -> Refusal.Reason? { reason(Array(value.utf8)) }
    func reason(with members: [String: String?]) -> Refusal.Reason? { reason(Decoding.value(with: members)) }

    /// The date of a message with that `date` member, in microseconds; nil when it is refused as bad-date.
    func date(_ json: String) throws(Refusal) -> Int64? {
        do {
            return try self(with: ["date": json]).entry.date.microseconds
        } catch {
            if error.reason == .badDate { return nil }
            throw error
        }
    }
}
