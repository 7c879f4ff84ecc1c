import CSimdJSON

/// Turns the value of a record into a status message (contract, section 2). Serves one thread at a time: it owns a JSON parser.
public final class StatusDecoder {
    /// The greatest size of a record's value in bytes.
    public static let maxValueBytes = 1 << 20
    public static let maxServiceBytes = 128
    static let maxFieldBytes = 256

    private let parser: OpaquePointer
    private let vocabulary: StatusVocabulary
    private let statusMessageMaxBytes: Int
    private let texts = TextCache()
    /// What the parser finds of each field.
    private let storage = UnsafeMutableBufferPointer<csimdjson_value>.allocate(capacity: Field.allCases.count)

    /// Traps when there is no memory for a parser.
    public init(vocabulary: StatusVocabulary, statusMessageMaxBytes: Int) {
        guard let parser = csimdjson_parser_create() else { preconditionFailure("no memory for a JSON parser") }
        self.parser = parser
        self.vocabulary = vocabulary
        self.statusMessageMaxBytes = statusMessageMaxBytes
    }

    deinit {
        storage.deallocate()
        csimdjson_parser_free(parser)
    }

    /// - Parameters:
    ///   - value: the record's value, not needed after the call.
    ///   - recordTimestamp: the record's Kafka timestamp in milliseconds, the date of a message that has none.
    /// - Throws: the first thing that is wrong, in the contract's order: size, JSON, object, id, service, status, other fields, date.
    public func decode(_ value: UnsafeRawBufferPointer, recordTimestamp: Int64) throws(Refusal) -> StatusMessage {
        if value.count > StatusDecoder.maxValueBytes {
            throw Refusal(
                .tooLarge,
                "the value has \(value.count) bytes, more than \(StatusDecoder.maxValueBytes); send a shorter status_msg"
            )
        }
        try parse(value)
        return try message(JSONFields(values: UnsafeBufferPointer(storage)), recordTimestamp: recordTimestamp)
    }

    private func parse(_ value: UnsafeRawBufferPointer) throws(Refusal) {
        var detail: UnsafePointer<CChar>?
        let result = Field.names.withUnsafeBufferPointer { names in
            csimdjson_parse(
                parser,
                value.bindMemory(to: UInt8.self).baseAddress,
                value.count,
                names.baseAddress,
                names.count,
                storage.baseAddress,
                &detail
            )
        }
        switch result {
        case CSIMDJSON_OBJECT: return
        case CSIMDJSON_NOT_AN_OBJECT:
            throw Refusal(.notAnObject, "the value is JSON, but not an object; send one JSON object")
        case CSIMDJSON_OUT_OF_MEMORY: preconditionFailure("no memory to parse \(value.count) bytes of JSON")
        default:
            let reason = value.isEmpty ? "it is empty" : detail.map { String(cString: $0) } ?? "it cannot be parsed"
            throw Refusal(.notJSON, "the value is not valid JSON in UTF-8: \(reason)")
        }
    }

    private func message(_ fields: JSONFields, recordTimestamp: Int64) throws(Refusal) -> StatusMessage {
        let id: PayloadID
        do {
            id = try payloadID(fields)
        } catch {
            // The id is judged before the service; who sent it is told all the same.
            throw Refusal(error.reason, error.detail, service: try? service(fields))
        }
        let service = try service(fields)
        let (status, word) = try status(fields, service: service)
        let source = try optionalText(fields, .source, service)?.lowercased()
        let account = try optionalText(fields, .account, service)
        let orgID = try optionalText(fields, .orgID, service)
        let inventoryID = try optionalText(fields, .inventoryID, service)
        let systemID = try optionalText(fields, .systemID, service)
        let statusMessage = try statusMessage(fields, service)
        let date = try date(fields, service, recordTimestamp: recordTimestamp)
        return StatusMessage(
            payloadID: id,
            service: service,
            source: source,
            entry: StatusEntry(date: date, status: status, rawStatus: word, message: statusMessage),
            account: account,
            orgID: orgID,
            inventoryID: inventoryID,
            systemID: systemID
        )
    }

    // MARK: Fields

    /// `request_id`, the later name, wins over `payload_id` unless it is absent, null or empty.
    private func payloadID(_ fields: JSONFields) throws(Refusal) -> PayloadID {
        for field in [Field.requestID, .payloadID] {
            switch fields[field] {
            case .absent, .null: continue
            case .string(let raw):
                do {
                    return try PayloadID(normalizing: raw)
                } catch .missing {
                    continue
                } catch {
                    throw Refusal(.badPayloadID, "\(field.rawValue): \(error)")
                }
            case .number, .other:
                throw Refusal(.badPayloadID, "\(field.rawValue) is \(fields[field].kind), not a string")
            }
        }
        throw Refusal(.missingPayloadID, "neither request_id nor payload_id holds an id")
    }

    private func service(_ fields: JSONFields) throws(Refusal) -> Text {
        switch fields[.service] {
        case .absent, .null: throw Refusal(.missingService, "service is missing")
        case .string(let raw):
            let service = word(raw)
            if service.byteCount == 0 { throw Refusal(.missingService, "service is empty") }
            if service.byteCount > StatusDecoder.maxServiceBytes {
                throw Refusal(
                    .badField,
                    "service has \(service.byteCount) bytes, more than \(StatusDecoder.maxServiceBytes)"
                )
            }
            return service
        case .number, .other: throw Refusal(.badField, "service is \(fields[.service].kind), not a string")
        }
    }

    private func status(_ fields: JSONFields, service: Text) throws(Refusal) -> (Status, Text) {
        switch fields[.status] {
        case .absent, .null: throw Refusal(.missingStatus, "status is missing", service: service)
        case .string(let raw):
            // The words of the vocabulary are trimmed and in lower case, so what is found needs neither.
            if let known = vocabulary.entry(of: raw.bytes) { return known }
            let word = word(raw)
            if word.byteCount == 0 { throw Refusal(.missingStatus, "status is empty", service: service) }
            if let known = word.withUTF8(vocabulary.entry) { return known }
            let shown = word.string.cut(toBytes: 64)
            throw Refusal(
                .unknownStatus,
                "status \"\(shown)\" is neither a status nor one of status.aliases",
                service: service
            )
        case .number, .other:
            throw Refusal(.badField, "status is \(fields[.status].kind), not a string", service: service)
        }
    }

    /// Trimmed; nothing when it is null, empty, `None` or `null`.
    private func optionalText(_ fields: JSONFields, _ field: Field, _ service: Text) throws(Refusal) -> Text? {
        let text: Text
        switch fields[field] {
        case .absent, .null: return nil
        case .string(let raw):
            text = raw.isTrimmed ? texts.text(raw.bytes) : Text(raw.string.trimmingWhitespace())
        case .number(let characters): text = texts.text(characters)
        case .other: throw Refusal(.badField, "\(field.rawValue) is neither a string nor a number", service: service)
        }
        if text.byteCount == 0 || text.string.isNullWord { return nil }
        if text.byteCount > StatusDecoder.maxFieldBytes {
            throw Refusal(
                .badField,
                "\(field.rawValue) has \(text.byteCount) bytes, more than \(StatusDecoder.maxFieldBytes)",
                service: service
            )
        }
        return text
    }

    /// Trimmed, in lower case.
    private func word(_ raw: RawText) -> Text {
        if raw.isTrimmed && raw.isLowercase { return texts.text(raw.bytes) }
        return Text(raw.string.trimmingWhitespace().lowercased())
    }

    private func statusMessage(_ fields: JSONFields, _ service: Text) throws(Refusal) -> Text? {
        switch fields[.statusMessage] {
        case .absent, .null: return nil
        case .string(let raw):
            if raw.bytes.count <= statusMessageMaxBytes { return texts.text(raw.bytes) }
            return Text(raw.string.cut(toBytes: statusMessageMaxBytes))
        case .number, .other:
            throw Refusal(.badField, "status_msg is \(fields[.statusMessage].kind), not a string", service: service)
        }
    }

    private func date(_ fields: JSONFields, _ service: Text, recordTimestamp: Int64) throws(Refusal) -> Timestamp {
        switch fields[.date] {
        case .absent, .null: return Timestamp(clampingMilliseconds: recordTimestamp)
        case .string(let raw):
            if raw.isEmpty { return Timestamp(clampingMilliseconds: recordTimestamp) }
            if let date = Timestamp(iso8601: raw.bytes) { return date }
            throw Refusal(
                .badDate,
                "date \"\(raw.string.cut(toBytes: 64))\" is not RFC 3339, such as 2024-01-02T03:04:05.678Z",
                service: service
            )
        case .number(let characters):
            if let date = Timestamp(epoch: characters) { return date }
            let shown = String(decoding: characters, as: UTF8.self).cut(toBytes: 64)
            throw Refusal(.badDate, "date \(shown) is out of range for epoch seconds or milliseconds", service: service)
        case .other:
            throw Refusal(.badDate, "date is neither a string nor a number", service: service)
        }
    }
}

/// The members of a status message that count; others are ignored.
private enum Field: String, CaseIterable {
    case requestID = "request_id"
    case payloadID = "payload_id"
    case service
    case status
    case source
    case account
    case orgID = "org_id"
    case inventoryID = "inventory_id"
    case systemID = "system_id"
    case statusMessage = "status_msg"
    case date

    /// In the order of `allCases`. Safe to share: never changed, never freed, and it points only to memory of which that is true.
    nonisolated(unsafe) static let names: [csimdjson_name] = allCases.map { field in
        let bytes = Array(field.rawValue.utf8CString)
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
        copy.initialize(from: bytes, count: bytes.count)
        return csimdjson_name(bytes: copy, length: bytes.count - 1)
    }

    var index: Int {
        switch self {
        case .requestID: 0
        case .payloadID: 1
        case .service: 2
        case .status: 3
        case .source: 4
        case .account: 5
        case .orgID: 6
        case .inventoryID: 7
        case .systemID: 8
        case .statusMessage: 9
        case .date: 10
        }
    }
}

/// The found members, as views into the parser: valid until its next call.
private struct JSONFields {
    enum Value {
        case absent
        case null
        case string(RawText)
        case number(UnsafeRawBufferPointer)
        case other

        var kind: String {
            switch self {
            case .absent: "absent"
            case .null: "null"
            case .string: "a string"
            case .number: "a number"
            case .other: "true, false, an array or an object"
            }
        }
    }

    let values: UnsafeBufferPointer<csimdjson_value>

    subscript(field: Field) -> Value {
        let value = values[field.index]
        let bytes = UnsafeRawBufferPointer(start: value.bytes, count: value.length)
        return switch value.kind {
        case CSIMDJSON_ABSENT: .absent
        case CSIMDJSON_NULL: .null
        case CSIMDJSON_STRING: .string(RawText(bytes: bytes))
        case CSIMDJSON_NUMBER: .number(bytes)
        default: .other
        }
    }
}

extension String {
    /// At most `limit` bytes (3 or more) of UTF-8, cut at a Unicode scalar's border; what was cut ends with `…`, counted in.
    func cut(toBytes limit: Int) -> String {
        if utf8.count <= limit { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: max(limit - 3, 0))
        while end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(self[..<end]) + "…"
    }
}
