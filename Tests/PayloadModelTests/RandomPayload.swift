import PayloadModel
import SeededRandom

/// A random set of messages of one payload and random rules, from a seed. Everything collides often on purpose.
struct RandomPayload {
    var rules = PayloadRules()
    var messages: [StatusMessage] = []

    /// - Parameters:
    ///   - count: how many messages; some are equal.
    ///   - dates: how many different dates they have.
    init(count: Int, dates: Int, using random: inout SplitMix64) throws {
        // Canonically equivalent texts are different texts.
        let services = ["a", "a", "b", "caf\u{E9}", "cafe\u{301}"].prefix(1 + random.below(5))
        let sources = [nil, "", "x", "y"].prefix(1 + random.below(4))
        let words = [
            "received", "recieved", "processing", "processed", "success", "completed", "failure", "error", "invalid",
        ]
        let texts = [nil, nil, "", "e", "\u{E9}", "e\u{301}", String(repeating: "long ", count: 20)]
        // Otherwise nearly every payload fails.
        let failsSeldom = random.oneIn(2)
        rules.stageRecovery = random.oneIn(3) ? .sticky : .latest
        rules.historyMaxEntries = random.pick([1, 2, 5, 500])
        rules.historyMaxBytes = random.pick([0, 60, 200, 512 << 10, 512 << 10])
        if random.oneIn(3) { rules.ignoredServices = [Text(random.pick(Array(services)))] }
        if random.oneIn(3) { rules.requiredServices = [Text(random.pick(Array(services))), "never", "\u{E9}"] }
        for service in services where random.oneIn(3) {
            rules.stallAfterByService[Text(service)] = random.pick([0, 2, 30, 4_000]) * 1_000_000
        }
        for _ in 0..<count {
            let source: String? = random.pick(Array(sources))
            let word = random.pick(failsSeldom && !random.oneIn(8) ? Array(words.prefix(6)) : words)
            var message = try Payload.message(
                random.pick(Array(services)),
                word,
                at: Int64(random.below(dates)) * 700_001,
                random.pick(texts),
                account: random.pick([nil, "1", "2", "e\u{301}"]),
                orgID: random.pick([nil, nil, "\u{E9}", "3"]),
                inventoryID: random.oneIn(2) ? nil : "i\(random.below(20))",
                systemID: random.oneIn(2) ? nil : "s\(random.below(5))"
            )
            message.source = source.map { Text($0) }
            messages.append(message)
        }
    }

    /// The messages in another order, some of them twice.
    func shuffled(using random: inout SplitMix64) -> [StatusMessage] {
        var messages = messages
        for _ in 0..<random.below(messages.count + 1) { messages.append(messages[random.below(messages.count)]) }
        messages.shuffle(using: &random)
        return messages
    }
}
