import SeededRandom

/// Records that the tracker must refuse, each named by the reason that it must give.
enum Garbage: String, CaseIterable {
    case notJSON = "not-json"
    case notAnObject = "not-an-object"
    case tooLarge = "too-large"
    case missingPayloadID = "missing-payload-id"
    case badPayloadID = "bad-payload-id"
    case missingService = "missing-service"
    case missingStatus = "missing-status"
    case unknownStatus = "unknown-status"
    case badField = "bad-field"
    case badDate = "bad-date"

    /// What producers send by mistake. Not `tooLarge`: brokers with default settings refuse it before the tracker can.
    static let usual = allCases.filter { $0 != .tooLarge }

    /// A record's value.
    func value(using random: inout SplitMix64) -> [UInt8] {
        let id = "\"request_id\":\"\(String(random.next(), radix: 16))\""
        let text =
            switch self {
            case .notJSON: "{\(id),\"service\":\"puptoo\",\"status\":"
            case .notAnObject: "[\"puptoo\",\"received\"]"
            case .tooLarge:
                "{\(id),\"service\":\"puptoo\",\"status\":\"error\",\"status_msg\":\""
                    + String(repeating: "x", count: 1 << 20) + "\"}"
            case .missingPayloadID: "{\"request_id\":\"\",\"service\":\"puptoo\",\"status\":\"received\"}"
            case .badPayloadID:
                "{\"request_id\":\(Self.junkIDs[Int.random(in: 0..<Self.junkIDs.count, using: &random)]),"
                    + "\"service\":\"puptoo\",\"status\":\"received\"}"
            case .missingService: "{\(id),\"service\":null,\"status\":\"received\"}"
            case .missingStatus: "{\(id),\"service\":\"puptoo\"}"
            case .unknownStatus: "{\(id),\"service\":\"puptoo\",\"status\":\"pondering\"}"
            case .badField: "{\(id),\"service\":\"puptoo\",\"status\":\"received\",\"account\":[\"1234567\"]}"
            case .badDate: "{\(id),\"service\":\"puptoo\",\"status\":\"received\",\"date\":\"yesterday\"}"
            }
        return Array(text.utf8)
    }

    private static let junkIDs = ["-1", "\"-1\"", "\"None\"", "\"null\""]
}
