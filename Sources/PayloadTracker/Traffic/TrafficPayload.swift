import SeededRandom

/// One payload of a sequence, with all of its messages.
struct TrafficPayload {
    /// 32 hex digits.
    let id: String
    /// In the order in which they arrive, which is not quite that of their dates: the way to the topic takes its time too.
    let messages: [TrafficMessage]

    /// - Parameters:
    ///   - start: when its first message is sent, since the traffic began.
    ///   - epoch: the date when the traffic began, in microseconds since 1970.
    ///   - timeScale: 1 is as slow as life, 0.1 ten times faster.
    init(
        _ sequence: TrafficSequence,
        start: Duration,
        epoch: Int64,
        timeScale: Double,
        using random: inout SplitMix64
    ) {
        let subject = Subject(hostCount: sequence.hostCount, using: &random)
        // Some payloads are large, and some hours are busy.
        let pace = timeScale * Double.random(in: 0.7...1.6, using: &random)
        var messages: [TrafficMessage] = []
        for (index, step) in sequence.steps.enumerated() {
            let happened = start + step.time * pace
            let delay = Duration.microseconds(Int64.random(in: 0...40_000, using: &random)) * timeScale
            let date = TrafficDate(microseconds: epoch + happened.microseconds)
            let value = subject.json(step, date, using: &random)
            messages.append(TrafficMessage(time: index == 0 ? start : happened + delay, value: value))
            // Producers retry: now and then a message comes twice.
            if Int.random(in: 0..<100, using: &random) == 0 {
                messages.append(TrafficMessage(time: happened + delay + .seconds(1) * pace, value: value))
            }
        }
        id = subject.id
        self.messages = messages.sorted { $0.time < $1.time }
    }
}

/// What a payload's messages are about, and how their producers write it: each in a way of its own.
private struct Subject {
    let id: String
    private let account: Int
    private let orgID: Int
    private let inventoryIDs: [String]

    init(hostCount: Int, using random: inout SplitMix64) {
        id = Self.hexDigits(using: &random)
        account = Int.random(in: 1_000_000...9_999_999, using: &random)
        orgID = Int.random(in: 10_000_000...19_999_999, using: &random)
        inventoryIDs = (0..<hostCount).map { _ in Self.dashed(Self.hexDigits(using: &random)) }
    }

    /// The record's value.
    func json(_ step: TrafficSequence.Step, _ date: TrafficDate, using random: inout SplitMix64) -> [UInt8] {
        var json = JSONText()
        json.append("service", .string(step.service))
        if let source = step.source { json.append("source", .string(source)) }
        switch Int.random(in: 0..<10, using: &random) {
        case 0:
            json.append("payload_id", .string(id))
        case 1:
            json.append("request_id", .string(Self.dashed(id)))
        case 2, 3:
            json.append("request_id", .string(id))
            json.append("payload_id", .string(id))
        default:
            json.append("request_id", .string(id))
        }
        if let account = Self.tenant(account, using: &random) { json.append("account", account) }
        if let orgID = Self.tenant(orgID, using: &random) { json.append("org_id", orgID) }
        if let host = step.host { json.append("inventory_id", .string(inventoryIDs[host])) }
        json.append("status", .string(step.status))
        if let message = step.message { json.append("status_msg", .string(message)) }
        let forms = TrafficDate.Form.allCases
        json.append("date", .string(date.text(forms[Int.random(in: 0..<forms.count, using: &random)])))
        return json.finish()
    }

    /// Producers disagree on the type of account and org_id.
    private static func tenant(_ number: Int, using random: inout SplitMix64) -> JSONText.Value? {
        switch Int.random(in: 0..<10, using: &random) {
        case 0: .integer(number)
        case 1: .null
        case 2: nil
        default: .string(String(number))
        }
    }

    private static func hexDigits(using random: inout SplitMix64) -> String {
        (0..<2).map { _ in
            let digits = String(random.next(), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// A UUID's usual form.
    private static func dashed(_ digits: String) -> String {
        var digits = Substring(digits)
        return [8, 4, 4, 4, 12].map { count in
            defer { digits = digits.dropFirst(count) }
            return String(digits.prefix(count))
        }.joined(separator: "-")
    }
}
