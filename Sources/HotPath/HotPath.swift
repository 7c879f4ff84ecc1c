import Foundation
import PayloadModel
import PayloadTopology

/// A fixed amount of the work that the worker does for each message, without Kafka and without a store on disk: what
/// `benchmarks/hot-path` counts the instructions of.
///
///     HotPath STEP ROUNDS    does all steps up to STEP, for so many payloads
@main struct HotPath {
    /// Each has those before it in it, so that two of them tell what one costs.
    enum Step: Int, CaseIterable {
        /// A record's value to a status message.
        case decode
        /// The message into the payload's state, the outcome judged, its event written.
        case fold
        /// What a commit writes of the payload: its facets and its state.
        case encode
        /// What a store has of the payload to its state, as for a message that finds it in no cache.
        case load

        var name: String { "\(self)" }
    }

    /// Messages of a payload between two commits.
    private static let messagesPerCommit = 6

    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 3, let step = Step.allCases.first(where: { $0.name == arguments[1] }),
            let rounds = Int(arguments[2])
        else {
            FileHandle.standardError.write(
                Data("usage: HotPath \(Step.allCases.map(\.name).joined(separator: "|")) ROUNDS\n".utf8)
            )
            exit(2)
        }
        var path = HotPath(upTo: step)
        let lifecycle = Lifecycle.values
        for _ in 0..<rounds { try path.run(lifecycle) }
        print(lifecycle.count * rounds, path.seen)
    }

    private let step: Step
    private let rules = PayloadRules()
    private let decoder: StatusDecoder
    /// Bytes of what came out, so that none of the work can be left out.
    private var seen = 0

    private init(upTo step: Step) {
        self.step = step
        decoder = StatusDecoder(vocabulary: rules.vocabulary, statusMessageMaxBytes: rules.statusMessageMaxBytes)
    }

    /// One payload from its first message to its last.
    private mutating func run(_ values: [[UInt8]]) throws {
        var state: PayloadState?
        for (index, value) in values.enumerated() {
            let message = try value.withUnsafeBytes { try decoder.decode($0, recordTimestamp: Lifecycle.start / 1_000) }
            seen += message.service.byteCount
            if step < .fold { continue }
            var folded = state ?? PayloadState(id: message.payloadID)
            state = nil
            try fold(message, into: &folded)
            if index % HotPath.messagesPerCommit == HotPath.messagesPerCommit - 1 || index == values.count - 1 {
                folded = try commit(folded)
            }
            state = folded
        }
    }

    private mutating func fold(_ message: StatusMessage, into state: inout PayloadState) throws {
        let change: PayloadState.Change
        switch try state.fold(message, rules: rules) {
        case .unchanged: return
        case .attributesChanged: change = .attributes
        case .entryAdded: change = .entry
        }
        if let event = state.judge(after: change, at: message.entry.date, rules: rules) { seen += event.json.count }
    }

    /// - Returns: the state, as the next message finds it.
    private mutating func commit(_ state: PayloadState) throws -> PayloadState {
        if step < .encode { return state }
        let facets = PayloadFacets(state, rules: rules)
        let encoded = PayloadStateCodec.encode(state, timerAt: state.nextTimer(rules))
        let stored = PayloadStore.encode(facets, encoded)
        seen += stored.count
        if step < .load { return state }
        return try stored.withUnsafeBytes { try PayloadStore.decode($0, id: state.id).state }
    }
}

extension HotPath.Step: Comparable {
    static func < (a: HotPath.Step, b: HotPath.Step) -> Bool { a.rawValue < b.rawValue }
}
