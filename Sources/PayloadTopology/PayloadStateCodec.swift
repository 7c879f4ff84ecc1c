import PayloadModel
import SwiftProtobuf

/// A payload's state as bytes: `payload_state.proto`, with the time of its timer beside it.
enum PayloadStateCodec {
    /// Of what is stored. A store of another version is refused.
    static let formatVersion = 1

    struct Malformed: Error {}

    static func encode(_ state: PayloadState, timerAt: Timestamp) throws -> [UInt8] {
        var message = PayloadTracker_V1_PayloadState()
        message.stages = state.stages.map(encode)
        if let account = state.attributes.account { message.account = encode(account) }
        if let orgID = state.attributes.orgID { message.orgID = encode(orgID) }
        if !state.attributes.inventoryIDs.members.isEmpty {
            message.inventoryIds = encode(state.attributes.inventoryIDs)
        }
        if !state.attributes.systemIDs.members.isEmpty { message.systemIds = encode(state.attributes.systemIDs) }
        if let date = state.trimmedThrough { message.trimmedThrough = date.microseconds }
        message.outcome = .init(rawValue: Int(state.outcome.rawValue)) ?? .open
        message.revision = state.revision
        message.changedAt = state.changedAt.microseconds
        message.timerAt = timerAt.microseconds
        return try message.serializedBytes()
    }

    /// Throws `Malformed`, or what SwiftProtobuf throws, for bytes that are not such a state.
    static func decode(_ bytes: UnsafeRawBufferPointer, id: PayloadID) throws -> (
        state: PayloadState, timerAt: Timestamp
    ) {
        let message = try PayloadTracker_V1_PayloadState(serializedBytes: Array(bytes))
        guard let outcome = Outcome(rawValue: UInt8(truncatingIfNeeded: message.outcome.rawValue)) else {
            throw Malformed()
        }
        let state = PayloadState(
            id: id,
            stages: try message.stages.map(decode),
            attributes: Attributes(
                account: message.hasAccount ? decode(message.account) : nil,
                orgID: message.hasOrgID ? decode(message.orgID) : nil,
                inventoryIDs: decode(message.inventoryIds),
                systemIDs: decode(message.systemIds)
            ),
            trimmedThrough: message.hasTrimmedThrough ? Timestamp(microseconds: message.trimmedThrough) : nil,
            outcome: outcome,
            revision: message.revision,
            changedAt: Timestamp(microseconds: message.changedAt)
        )
        return (state, Timestamp(microseconds: message.timerAt))
    }

    private static func encode(_ stage: Stage) -> PayloadTracker_V1_Stage {
        var message = PayloadTracker_V1_Stage()
        message.service = stage.service.string
        if let source = stage.source { message.source = source.string }
        message.entries = stage.entries.map { entry in
            var message = PayloadTracker_V1_Entry()
            message.date = entry.date.microseconds
            message.status = .init(rawValue: Int(entry.status.rawValue)) ?? .received
            message.rawStatus = entry.rawStatus.string
            if let text = entry.message { message.statusMsg = text.string }
            return message
        }
        message.firstDate = stage.firstDate.microseconds
        message.lastDate = stage.lastDate.microseconds
        return message
    }

    private static func decode(_ message: PayloadTracker_V1_Stage) throws -> Stage {
        let entries = try message.entries.map { entry in
            guard let status = Status(rawValue: UInt8(truncatingIfNeeded: entry.status.rawValue)) else {
                throw Malformed()
            }
            return StatusEntry(
                date: Timestamp(microseconds: entry.date),
                status: status,
                rawStatus: Text(entry.rawStatus),
                message: entry.hasStatusMsg ? Text(entry.statusMsg) : nil
            )
        }
        let stage = Stage(
            service: Text(message.service),
            source: message.hasSource ? Text(message.source) : nil,
            entries: entries,
            firstDate: Timestamp(microseconds: message.firstDate),
            lastDate: Timestamp(microseconds: message.lastDate)
        )
        guard let stage else { throw Malformed() }
        return stage
    }

    private static func encode(_ latest: LatestText) -> PayloadTracker_V1_LatestText {
        var message = PayloadTracker_V1_LatestText()
        message.text = latest.text.string
        message.date = latest.date.microseconds
        return message
    }

    private static func decode(_ message: PayloadTracker_V1_LatestText) -> LatestText {
        LatestText(text: Text(message.text), date: Timestamp(microseconds: message.date))
    }

    private static func encode(_ recent: RecentTexts) -> PayloadTracker_V1_RecentTexts {
        var message = PayloadTracker_V1_RecentTexts()
        message.members = recent.members.map(encode)
        message.truncated = recent.isTruncated
        return message
    }

    private static func decode(_ message: PayloadTracker_V1_RecentTexts) -> RecentTexts {
        RecentTexts(members: message.members.map(decode), isTruncated: message.truncated)
    }
}
