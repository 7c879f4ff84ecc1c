import PayloadModel

/// One payload under test with its rules and a wall clock in seconds. It folds and judges as the worker does.
struct Payload {
    var rules: PayloadRules
    var state: PayloadState
    var clock: Int64 = 1_000_000

    static let id = "0123456789abcdef0123456789abcdef"

    init(_ change: (inout PayloadRules) -> Void = { _ in }) throws {
        var rules = PayloadRules()
        change(&rules)
        self.rules = rules
        state = PayloadState(id: try PayloadID(normalizing: Payload.id))
    }

    var now: Timestamp { Timestamp(microseconds: clock * 1_000_000) }

    /// A message whose entry has the date `date` (microseconds). `service` may name a source as "service/source".
    static func message(
        _ service: String,
        _ word: String,
        at date: Int64,
        _ text: String? = nil,
        account: String? = nil,
        orgID: String? = nil,
        inventoryID: String? = nil,
        systemID: String? = nil
    ) throws -> StatusMessage {
        let parts = service.split(separator: "/", maxSplits: 1).map(String.init)
        return StatusMessage(
            payloadID: try PayloadID(normalizing: Payload.id),
            service: Text(parts[0]),
            source: parts.count > 1 ? Text(parts[1]) : nil,
            entry: StatusEntry(
                date: Timestamp(microseconds: date),
                status: try Payload.status(word),
                rawStatus: Text(word),
                message: text.map { Text($0) }
            ),
            account: account.map { Text($0) },
            orgID: orgID.map { Text($0) },
            inventoryID: inventoryID.map { Text($0) },
            systemID: systemID.map { Text($0) }
        )
    }

    struct UnknownWord: Error {}

    private static func status(_ word: String) throws -> Status {
        guard let status = Status(name: word) ?? StatusVocabulary.defaultAliases[word] else { throw UnknownWord() }
        return status
    }

    /// Folds one message and judges the outcome.
    @discardableResult
    mutating func take(_ message: StatusMessage) throws -> OutcomeEvent? {
        let change: PayloadState.Change =
            switch try state.fold(message, rules: rules) {
            case .unchanged: .time
            case .attributesChanged: .attributes
            case .entryAdded: .entry
            }
        return state.judge(after: change, at: now, rules: rules)
    }

    @discardableResult
    mutating func send(_ service: String, _ word: String, at date: Int64, _ text: String? = nil) throws -> OutcomeEvent?
    {
        try take(Payload.message(service, word, at: date, text))
    }

    /// Lets `seconds` pass and judges.
    @discardableResult
    mutating func wait(_ seconds: Int64) -> OutcomeEvent? {
        clock += seconds
        return state.judge(after: .time, at: now, rules: rules)
    }

    var status: Status { state.status(rules) }

    func document() throws -> JSON { try JSON(writtenDocument()) }

    /// The payload's own members alone.
    func writtenDocument(showsStages: Bool = true) -> [UInt8] {
        var writer = JSONWriter()
        PayloadDocument(state, rules: rules, showsStages: showsStages).write(to: &writer, source: nil)
        return writer.bytes
    }

    func statuses() throws -> JSON { try JSON(writtenStatuses()) }

    /// The whole history.
    func writtenStatuses() -> [UInt8] {
        var writer = JSONWriter()
        writer.array(PayloadDocument.statuses(of: state, limit: nil, rules: rules)) { $1.write(to: &$0) }
        return writer.bytes
    }

    /// The history as "service/source word date", newest first.
    func history(limit: Int? = nil) -> [String] {
        PayloadDocument.statuses(of: state, limit: limit, rules: rules).map(Payload.brief)
    }

    static func brief(_ report: StatusReport) -> String {
        let stage = report.service.string + (report.source.map { "/\($0)" } ?? "")
        return "\(stage) \(report.entry.rawStatus) \(report.entry.date.microseconds)"
    }

    /// The number of entries that are stored, shown or not.
    var storedEntries: Int { state.stages.reduce(0) { $0 + $1.entries.count } }

    /// The same payload, rebuilt as a store would from what it kept.
    func restored() throws -> Payload {
        var copy = self
        copy.state = PayloadState(
            id: state.id,
            stages: try state.stages.map { stage in
                guard
                    let copy = Stage(
                        service: stage.service,
                        source: stage.source,
                        entries: stage.entries,
                        firstDate: stage.firstDate,
                        lastDate: stage.lastDate
                    )
                else { throw BrokenStage() }
                return copy
            },
            attributes: state.attributes,
            trimmedThrough: state.trimmedThrough,
            outcome: state.outcome,
            revision: state.revision,
            changedAt: state.changedAt
        )
        return copy
    }

    /// A stage that the model made and would not take back from a store.
    struct BrokenStage: Error {}
}
