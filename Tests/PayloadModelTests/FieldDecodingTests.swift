import PayloadModel
import SeededRandom
import Testing

/// Section 2, field by field: what is taken, what it becomes, and under which reason the rest is put aside.
@Suite struct FieldDecodingTests {
    private let decode = Decoding()

    @Test("A full message keeps every field")
    func fullMessage() throws {
        let message = try decode(
            """
            {"payload_id": "ignored", "request_id": "0123456789ABCDEF0123456789ABCDEF", "service": " Puptoo\\t",
             "source": " INSIGHTS-client ", "status": " Error ", "status_msg": " caf\\u00e9 ", "account": " 540155 ",
             "org_id": 1979710, "inventory_id": "i-1",
             "system_id": "s-1", "date": "2024-01-02T03:04:05.123456789Z", "extra": {"a": [1, {"b": null}]}}
            """
        )
        #expect(message.payloadID.description == Payload.id)
        #expect(message.service == "puptoo")
        #expect(message.source == "insights-client")
        #expect(message.entry.status == .failure)
        #expect(message.entry.rawStatus == "error")
        #expect(message.entry.message == " caf\u{E9} ")
        #expect(message.account == "540155")
        #expect(message.orgID == "1979710")
        #expect(message.inventoryID == "i-1")
        #expect(message.systemID == "s-1")
        #expect(message.entry.date.description == "2024-01-02T03:04:05.123456Z")
    }

    // MARK: The id

    @Test(
        "A UUID in any form is the same payload",
        arguments: [
            "0123456789abcdef0123456789abcdef", "0123456789ABCDEF0123456789ABCDEF",
            "01234567-89ab-cdef-0123-456789abcdef",
            "01234567-89AB-CDEF-0123-456789abcdef", "{01234567-89ab-cdef-0123-456789abcdef}",
            "{0123456789abcdef0123456789ABCDEF}",
            "  01234567-89ab-cdef-0123-456789abcdef\\n", "\\u00a00123456789abcdef0123456789abcdef\\t",
            "\\u0030123456789abcdef0123456789abcdef",
        ]
    )
    func uuidForms(id: String) throws {
        for name in ["request_id", "payload_id"] {
            let other = name == "request_id" ? "payload_id" : "request_id"
            let message = try decode(with: [name: "\"\(id)\"", other: nil])
            #expect(message.payloadID.description == Payload.id)
            #expect(message.payloadID.withUTF8 { String(decoding: $0, as: UTF8.self) } == Payload.id)
            #expect(message.payloadID == (try PayloadID(normalizing: Payload.id)))
        }
    }

    @Test(
        "Anything else stays as it is, but for the space around it",
        arguments: [
            "X", "0", "-2", "nonesuch", "nul", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0",
            "{", "}", "{}",
            "0123456789abcdef0123456789abcdeg", "{0123456789abcdef0123456789abcdef",
            "0123456789abcdef0123456789abcdef}",
            "01234567-89ab-cdef-0123456789abcdef-", "0123456789ab-cdef-0123-4567-89abcdef", "e\u{301}",
            "\u{FF11}\u{1F469}\u{200D}\u{1F680}",
            "01234567_89ab_cdef_0123_456789abcdef", "a b",
        ]
    )
    func otherIDs(id: String) throws {
        let message = try decode(with: ["request_id": "\" \(id) \""])
        #expect(Array(message.payloadID.description.utf8) == Array(id.utf8))
        #expect(message.payloadID.withUTF8 { Array($0) } == Array(id.utf8))
    }

    @Test("request_id wins over payload_id unless it is absent, null or empty")
    func laterName() throws {
        for empty in [nil, "null", "\"\"", "\"  \""] as [String?] {
            #expect(try decode(with: ["request_id": empty, "payload_id": "\"p\""]).payloadID.description == "p")
        }
        #expect(try decode(with: ["request_id": "\"r\"", "payload_id": "\"p\""]).payloadID.description == "r")
        #expect(try decode(with: ["request_id": "\"r\"", "payload_id": "-1"]).payloadID.description == "r")
        #expect(decode.reason(with: ["request_id": "\"-1\"", "payload_id": "\"p\""]) == .badPayloadID)
        let refusal = #expect(throws: Refusal.self) { try decode(with: ["request_id": "-1"]) }
        #expect(refusal?.service == "puptoo")
        #expect(decode.reason(with: ["request_id": "\"\"", "payload_id": "\"None\""]) == .badPayloadID)
    }

    @Test("Absent, null and empty ids are missing")
    func missingID() {
        for id in [nil, "null", "\"\"", "\" \\n\\t\""] as [String?] {
            #expect(decode.reason(with: ["request_id": id]) == .missingPayloadID)
            #expect(decode.reason(with: ["request_id": nil, "payload_id": id]) == .missingPayloadID)
        }
    }

    @Test(
        "None, null in any case, -1, and what is no string are bad ids",
        arguments: [
            "\"None\"", "\"none\"", "\"NONE\"", "\"null\"", "\"Null\"", "\"NULL\"", "\" nUlL \"", "\"-1\"", "\" -1 \"",
            "-1", "0", "17", "1.5",
            "true", "false", "[]", "{}", "[\"a\"]",
        ]
    )
    func badID(json: String) {
        #expect(decode.reason(with: ["request_id": json]) == .badPayloadID)
        #expect(decode.reason(with: ["request_id": nil, "payload_id": json]) == .badPayloadID)
    }

    @Test("An id of 256 bytes is taken, one of 257 is not; bytes, not characters")
    func longID() throws {
        #expect(
            try decode(with: ["request_id": "\"\(String(repeating: "x", count: 256))\""]).payloadID.description.count
                == 256
        )
        #expect(decode.reason(with: ["request_id": "\"\(String(repeating: "x", count: 257))\""]) == .badPayloadID)
        #expect(decode.reason(with: ["request_id": "\"\(String(repeating: "\u{E9}", count: 129))\""]) == .badPayloadID)
        #expect(
            try decode(with: ["request_id": "\"\(String(repeating: "\u{E9}", count: 128))  \""]).payloadID.description
                .count == 128
        )
    }

    // MARK: Service and status

    @Test("service: a string of at most 128 bytes, neither absent nor empty")
    func service() throws {
        for json in [nil, "null", "\"\"", "\" \""] as [String?] {
            #expect(decode.reason(with: ["service": json]) == .missingService)
        }
        for json in ["1", "true", "[]", "{}", "\"\(String(repeating: "x", count: 129))\""] {
            #expect(decode.reason(with: ["service": json]) == .badField)
        }
        #expect(try decode(with: ["service": "\" \(String(repeating: "X", count: 128)) \""]).service.byteCount == 128)
        #expect(try decode(with: ["service": "\"None\""]).service == "none")
    }

    @Test("status: each word of the vocabulary, in any case and with space around it")
    func vocabulary() throws {
        let words: [String: Status] = [
            "received": .received, "processing": .processing, "success": .success, "failure": .failure,
            "invalid": .invalid,
            "error": .failure, "failed": .failure, "processing_error": .failure, "rejected": .failure,
            "processing_success": .success, "successful": .success, "completed": .success, "recieved": .received,
            "processed": .processing, "validated": .processing, "announced": .processing, "advertised": .processing,
        ]
        for (word, status) in words {
            for sent in [word, word.uppercased(), " \(word.prefix(1).uppercased())\(word.dropFirst())\\t"] {
                let entry = try decode(with: ["status": "\"\(sent)\""]).entry
                #expect(entry.status == status)
                #expect(entry.rawStatus.string == word)
            }
        }
    }

    @Test("status: absent or empty is missing, no string is a bad field, another word is unknown")
    func badStatus() {
        for json in [nil, "null", "\"\"", "\" \""] as [String?] {
            #expect(decode.reason(with: ["status": json]) == .missingStatus)
        }
        for json in ["1", "true", "[]", "{}"] { #expect(decode.reason(with: ["status": json]) == .badField) }
        for word in ["done", "None", "null", "succes", "success!", "re ceived", "\\u0000"] {
            #expect(decode.reason(with: ["status": "\"\(word)\""]) == .unknownStatus)
        }
    }

    @Test("status.aliases are added to the defaults and win over them, never over the five words")
    func aliases() throws {
        let decode = Decoding(aliases: ["Done": .success, "error": .invalid, "received": .failure])
        #expect(try decode(with: ["status": "\"DONE\""]).entry.status == .success)
        #expect(try decode(with: ["status": "\"error\""]).entry.status == .invalid)
        #expect(try decode(with: ["status": "\"failed\""]).entry.status == .failure)
        #expect(try decode(with: ["status": "\"received\""]).entry.status == .received)
    }

    // MARK: Optional fields

    private static let optionalFields: [(name: String, path: any KeyPath<StatusMessage, Text?> & Sendable)] = [
        ("source", \.source), ("account", \.account), ("org_id", \.orgID), ("inventory_id", \.inventoryID),
        ("system_id", \.systemID),
    ]

    @Test("An optional field that is null, empty, None or null counts as absent", arguments: optionalFields.indices)
    func absentFields(index: Int) throws {
        let (name, path) = FieldDecodingTests.optionalFields[index]
        for json in ["null", "\"\"", "\" \"", "\"None\"", "\"NONE\"", "\" null \"", "\"NuLL\""] {
            #expect(try decode(with: [name: json])[keyPath: path] == nil)
        }
    }

    @Test("An optional field's number is the characters that were sent", arguments: optionalFields.indices)
    func numberFields(index: Int) throws {
        let (name, path) = FieldDecodingTests.optionalFields[index]
        for json in ["0", "-1", "540155", "1.50", "123456789012345678901234567890", "-0", "1e400"] {
            #expect(try decode(with: [name: json])[keyPath: path]?.string == json)
            #expect(try decode(with: [name: " \(json) \n"])[keyPath: path]?.string == json)
        }
    }

    @Test(
        "An optional field of another type, or of more than 256 bytes, is a bad field",
        arguments: optionalFields.indices
    )
    func badFields(index: Int) throws {
        let (name, path) = FieldDecodingTests.optionalFields[index]
        let long = String(repeating: "x", count: 257)
        for json in ["true", "false", "[]", "{}", "\"\(long)\"", String(repeating: "1", count: 257)] {
            #expect(decode.reason(with: [name: json]) == .badField)
        }
        #expect(try decode(with: [name: "\" \(long.dropLast()) \""])[keyPath: path]?.byteCount == 256)
        do {
            _ = try decode(with: [name: "true"])
        } catch {
            #expect(error.detail.contains(name))
            #expect(error.service == "puptoo")
        }
    }

    @Test("status_msg: any string as it was sent, empty too; null is absent; another type is a bad field")
    func statusMessage() throws {
        #expect(try decode(with: ["status_msg": "null"]).entry.message == nil)
        #expect(try decode(with: [:]).entry.message == nil)
        #expect(try decode(with: ["status_msg": "\"\""]).entry.message == "")
        #expect(try decode(with: ["status_msg": "\" None\\u0000\""]).entry.message == " None\u{0}")
        for json in ["1", "true", "[]", "{}"] { #expect(decode.reason(with: ["status_msg": json]) == .badField) }
    }

    @Test("status_msg is cut at a character's border, the last character being an ellipsis that is counted in")
    func statusMessageCut() throws {
        func stored(_ text: String, limit: Int) throws -> String? {
            try Decoding(statusMessageMaxBytes: limit)(with: ["status_msg": "\"\(text)\""]).entry.message?.string
        }
        #expect(try stored("abcdef", limit: 6) == "abcdef")
        #expect(try stored("abcdefg", limit: 6) == "abc…")
        #expect(try stored("ab\u{E9}efgh", limit: 6) == "ab…")
        #expect(try stored("a\u{1F600}fgh", limit: 7) == "a…")
        #expect(try stored("abcd", limit: 3) == "…")
        let long = try decode(with: ["status_msg": "\"\(String(repeating: "\u{E9}", count: 100_000))\""]).entry.message
        #expect(long?.byteCount == 4_095)
        #expect(long?.string.last == "…")
        #expect(
            try decode(with: ["status_msg": "\"\(String(repeating: "x", count: 4_096))\""]).entry.message?.string.last
                == "x"
        )
    }

    // MARK: Which reason comes first

    @Test(
        "Of several faults the reason is the first of size, JSON, object, id, service, status, fields, date"
    )
    func precedence() {
        var members: [String: String?] = [
            "request_id": "17", "service": "17", "status": "17", "account": "true", "date": "true",
        ]
        #expect(decode.reason(String(repeating: "[", count: (1 << 20) + 1)) == .tooLarge)
        #expect(decode.reason("[" + Decoding.value(with: members)) == .notJSON)
        #expect(decode.reason(Decoding.value(with: members) + "]") == .notJSON)
        #expect(decode.reason("[" + Decoding.value(with: members) + "]") == .notAnObject)
        #expect(decode.reason(with: members) == .badPayloadID)
        members["request_id"] = .some(nil)
        #expect(decode.reason(with: members) == .missingPayloadID)
        members["request_id"] = "\"a\""
        #expect(decode.reason(with: members) == .badField)
        members["service"] = .some(nil)
        #expect(decode.reason(with: members) == .missingService)
        members["service"] = "\"a\""
        members["status"] = .some(nil)
        #expect(decode.reason(with: members) == .missingStatus)
        members["status"] = "\"what\""
        #expect(decode.reason(with: members) == .unknownStatus)
        members["status"] = "\"success\""
        #expect(decode.reason(with: members) == .badField)
        for field in ["source", "org_id", "inventory_id", "system_id", "status_msg"] {
            members["account"] = .some(nil)
            members[field] = "[]"
            #expect(decode.reason(with: members) == .badField)
            members[field] = .some(nil)
        }
        #expect(decode.reason(with: members) == .badDate)
        members["date"] = .some(nil)
        #expect(decode.reason(with: members) == nil)
    }

    @Test("A value of exactly 1 MiB is taken")
    func size() throws {
        let empty = Decoding.value(with: ["status_msg": "\"\""]).utf8.count
        let text = String(repeating: "x", count: (1 << 20) - empty)
        #expect(try decode(with: ["status_msg": "\"\(text)\""]).entry.message?.byteCount == 4_096)
        #expect(decode.reason(with: ["status_msg": "\"\(text)x\""]) == .tooLarge)
        let space = String(repeating: " ", count: (1 << 20) - 64)
        #expect(decode.reason("{\"request_id\":\"\(space)\"}") == .missingPayloadID)
        #expect(decode.reason("{\"request_id\":\"\(space)x\"}") == .missingService)
    }

    @Test("Of two equal keys the same one always counts, whatever their types and spelling")
    func duplicateKeys() throws {
        for (first, second) in [("\"a\"", "\"b\""), ("17", "\"b\""), ("null", "\"b\"")] {
            let json =
                "{\"service\":\"s\",\"request_id\":\(first),\"status\":\"success\",\"request\\u005fid\":\(second)}"
            for _ in 0..<3 { #expect(try decode(json).payloadID.description == "b") }
        }
        #expect(
            decode.reason("{\"request_id\":\"a\",\"request_id\":null,\"service\":\"s\",\"status\":\"success\"}")
                == .missingPayloadID
        )
    }

    @Test(
        "What a message says does not depend on the order of members in it and in those before",
        arguments: UInt64(0)..<8
    )
    func anyOrder(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let members = [
            "\"request_id\":\"\(Payload.id)\"", "\"service\":\"puptoo\"", "\"status\":\"received\"",
            "\"account\":\"1\"",
            "\"org_id\":\"2\"", "\"\\u0073ystem_id\":\"3\"", "\"inventory_id\":\"4\"", "\"service_\":\"no\"",
            "\"stat\":0",
            "\"\":[]", "\"date\":\"2024-01-02T03:04:05Z\"", "\"status_msg\" : \"a\"", "\"source\":null",
        ]
        for _ in 0..<200 {
            let kept = members.filter { _ in random.below(4) > 0 }.shuffled(using: &random)
            let value = "{" + kept.joined(separator: ",") + "}"
            let expected = Result { () throws(Refusal) in try Decoding()(value) }
            #expect(Result { () throws(Refusal) in try decode(value) } == expected, "\(value)")
        }
    }

    @Test("Keys are compared as a whole: case, prefixes and NULs make other fields")
    func otherKeys() {
        for key in ["Service", "service ", "servic", "service\\u0000", "\\u0000service", "SERVICE"] {
            #expect(decode.reason("{\"request_id\":\"a\",\"\(key)\":\"s\",\"status\":\"success\"}") == .missingService)
        }
    }
}
