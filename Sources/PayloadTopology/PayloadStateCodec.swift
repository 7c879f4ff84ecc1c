import PayloadModel

/// A payload's state as bytes: `payload_state.proto`, with the time of its timer beside it. Fields are written in the order of their
/// numbers, and those that have their default value are left out, as protoc's code does it.
package enum PayloadStateCodec {
    typealias Malformed = ProtobufReader.Malformed

    /// The greatest `needs_format` that is understood. Fields of a later one that say nothing of it can be left out without harm.
    private static let format: UInt64 = 1

    // MARK: Writing

    package static func encode(_ state: PayloadState, timerAt: Timestamp) -> [UInt8] {
        let stageSizes = state.stages.map(size)
        let attributes = state.attributes
        let recentSizes = (size(attributes.inventoryIDs), size(attributes.systemIDs))
        var size = stageSizes.reduce(0) { $0 + ProtobufWriter.size(ofLength: $1) }
        for latest in [attributes.account, attributes.orgID] {
            if let latest { size += ProtobufWriter.size(ofLength: self.size(latest)) }
        }
        for recent in [recentSizes.0, recentSizes.1] where recent > 0 { size += ProtobufWriter.size(ofLength: recent) }
        if let date = state.trimmedThrough { size += ProtobufWriter.size(ofZigzag: date.microseconds) }
        if state.outcome.rawValue != 0 { size += ProtobufWriter.size(ofVarint: UInt64(state.outcome.rawValue)) }
        if state.revision != 0 { size += ProtobufWriter.size(ofVarint: state.revision) }
        size += sizeUnlessZero(state.changedAt) + sizeUnlessZero(timerAt)
        return ProtobufWriter.bytes(size: size) { writer in
            for (stage, size) in zip(state.stages, stageSizes) {
                writer.message(1, size: size) { write(stage, to: &$0) }
            }
            write(2, attributes.account, to: &writer)
            write(3, attributes.orgID, to: &writer)
            write(4, attributes.inventoryIDs, size: recentSizes.0, to: &writer)
            write(5, attributes.systemIDs, size: recentSizes.1, to: &writer)
            if let date = state.trimmedThrough { writer.zigzag(6, date.microseconds) }
            if state.outcome.rawValue != 0 { writer.varint(7, UInt64(state.outcome.rawValue)) }
            if state.revision != 0 { writer.varint(8, state.revision) }
            if state.changedAt.microseconds != 0 { writer.zigzag(9, state.changedAt.microseconds) }
            if timerAt.microseconds != 0 { writer.zigzag(10, timerAt.microseconds) }
        }
    }

    private static func size(_ stage: Stage) -> Int {
        var size = ProtobufWriter.size(of: stage.service.string)
        if let source = stage.source { size += ProtobufWriter.size(of: source.string) }
        for entry in stage.entries { size += ProtobufWriter.size(ofLength: self.size(entry)) }
        return size + sizeUnlessZero(stage.firstDate) + sizeUnlessZero(stage.lastDate)
    }

    private static func size(_ entry: StatusEntry) -> Int {
        var size = sizeUnlessZero(entry.date)
        if entry.status.rawValue != 0 { size += ProtobufWriter.size(ofVarint: UInt64(entry.status.rawValue)) }
        size += ProtobufWriter.size(of: entry.rawStatus.string)
        if let message = entry.message { size += ProtobufWriter.size(of: message.string) }
        return size
    }

    private static func size(_ latest: LatestText) -> Int {
        ProtobufWriter.size(of: latest.text.string) + sizeUnlessZero(latest.date)
    }

    private static func sizeUnlessZero(_ date: Timestamp) -> Int {
        date.microseconds == 0 ? 0 : ProtobufWriter.size(ofZigzag: date.microseconds)
    }

    /// A stage's service and an entry's word are never empty.
    private static func write(_ stage: Stage, to writer: inout ProtobufWriter) {
        writer.string(1, stage.service.string)
        if let source = stage.source { writer.string(2, source.string) }
        for entry in stage.entries {
            writer.message(3, size: size(entry)) { writer in
                if entry.date.microseconds != 0 { writer.zigzag(1, entry.date.microseconds) }
                if entry.status.rawValue != 0 { writer.varint(2, UInt64(entry.status.rawValue)) }
                writer.string(3, entry.rawStatus.string)
                if let message = entry.message { writer.string(4, message.string) }
            }
        }
        if stage.firstDate.microseconds != 0 { writer.zigzag(4, stage.firstDate.microseconds) }
        if stage.lastDate.microseconds != 0 { writer.zigzag(5, stage.lastDate.microseconds) }
    }

    private static func write(_ field: UInt32, _ latest: LatestText?, to writer: inout ProtobufWriter) {
        guard let latest else { return }
        writer.message(field, size: size(latest)) { writer in
            writer.string(1, latest.text.string)
            if latest.date.microseconds != 0 { writer.zigzag(2, latest.date.microseconds) }
        }
    }

    /// 0: there is nothing to write.
    private static func size(_ recent: RecentTexts) -> Int {
        if recent.members.isEmpty { return 0 }
        return recent.members.reduce(recent.isTruncated ? ProtobufWriter.size(ofVarint: 1) : 0) {
            $0 + ProtobufWriter.size(ofLength: size($1))
        }
    }

    private static func write(_ field: UInt32, _ recent: RecentTexts, size: Int, to writer: inout ProtobufWriter) {
        if size == 0 { return }
        writer.message(field, size: size) { writer in
            for member in recent.members { write(1, member, to: &writer) }
            if recent.isTruncated { writer.varint(2, 1) }
        }
    }

    // MARK: Reading

    /// Throws for bytes that are not such a state.
    static func decode(_ bytes: UnsafeRawBufferPointer, id: PayloadID) throws(Malformed) -> (
        state: PayloadState, timerAt: Timestamp
    ) {
        var stages: [Stage] = []
        stages.reserveCapacity(PayloadState.usualStages)
        var attributes = Attributes()
        var trimmedThrough: Timestamp?
        var outcome = Outcome.open
        var revision: UInt64 = 0
        var changedAt = Timestamp(microseconds: 0)
        var timerAt = Timestamp(microseconds: 0)
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            switch field {
            case 1: stages.append(try stage(try value.message()))
            case 2: attributes.account = try latestText(try value.message())
            case 3: attributes.orgID = try latestText(try value.message())
            case 4: attributes.inventoryIDs = try recentTexts(try value.message())
            case 5: attributes.systemIDs = try recentTexts(try value.message())
            case 6: trimmedThrough = try date(value)
            case 7: outcome = try known(Outcome(rawValue: UInt8(clamping: try value.unsigned())))
            case 8: revision = try value.unsigned()
            case 9: changedAt = try date(value)
            case 10: timerAt = try date(value)
            case 11: try checkFormat(try value.unsigned())
            default: continue
            }
        }
        let state = PayloadState(
            id: id,
            stages: stages,
            attributes: attributes,
            trimmedThrough: trimmedThrough,
            outcome: outcome,
            revision: revision,
            changedAt: changedAt
        )
        return (state, timerAt)
    }

    /// The timer of a state's bytes alone, without decoding the rest: that is a small part of the work.
    static func timerAt(_ bytes: UnsafeRawBufferPointer) throws(Malformed) -> Timestamp {
        var timerAt = Timestamp(microseconds: 0)
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            if field == 10 { timerAt = try date(value) }
        }
        return timerAt
    }

    private static func stage(_ message: ProtobufReader) throws(Malformed) -> Stage {
        var reader = message
        var service = ""
        var source: String?
        var entries: [StatusEntry] = []
        entries.reserveCapacity(Stage.usualEntries)
        var firstDate = Timestamp(microseconds: 0)
        var lastDate = Timestamp(microseconds: 0)
        while let (field, value) = try reader.next() {
            switch field {
            case 1: service = try value.string()
            case 2: source = try value.string()
            case 3: entries.append(try entry(try value.message()))
            case 4: firstDate = try date(value)
            case 5: lastDate = try date(value)
            default: continue
            }
        }
        return try known(
            Stage(
                service: Text(service),
                source: source.map { Text($0) },
                entries: entries,
                firstDate: firstDate,
                lastDate: lastDate
            )
        )
    }

    private static func entry(_ message: ProtobufReader) throws(Malformed) -> StatusEntry {
        var reader = message
        var entry = StatusEntry(date: Timestamp(microseconds: 0), status: .received, rawStatus: "")
        while let (field, value) = try reader.next() {
            switch field {
            case 1: entry.date = try date(value)
            case 2: entry.status = try known(Status(rawValue: UInt8(clamping: try value.unsigned())))
            case 3: entry.rawStatus = Text(try value.string())
            case 4: entry.message = Text(try value.string())
            default: continue
            }
        }
        return entry
    }

    private static func latestText(_ message: ProtobufReader) throws(Malformed) -> LatestText {
        var reader = message
        var latest = LatestText(text: "", date: Timestamp(microseconds: 0))
        while let (field, value) = try reader.next() {
            switch field {
            case 1: latest.text = Text(try value.string())
            case 2: latest.date = try date(value)
            default: continue
            }
        }
        return latest
    }

    private static func recentTexts(_ message: ProtobufReader) throws(Malformed) -> RecentTexts {
        var reader = message
        var members: [LatestText] = []
        var isTruncated = false
        while let (field, value) = try reader.next() {
            switch field {
            case 1: members.append(try latestText(try value.message()))
            case 2: isTruncated = try value.unsigned() != 0
            default: continue
            }
        }
        return RecentTexts(members: members, isTruncated: isTruncated)
    }

    /// What a later version means by its fields is not guessed at.
    private static func checkFormat(_ needed: UInt64) throws(Malformed) {
        if needed <= format { return }
        throw Malformed(
            description:
                "it has format \(needed), and this program knows formats up to \(format): run the version that wrote it, or a later one"
        )
    }

    private static func date(_ value: ProtobufReader.Value) throws(Malformed) -> Timestamp {
        Timestamp(microseconds: try value.zigzag())
    }

    /// What this version of the schema does not have is not guessed at.
    private static func known<Found>(_ found: Found?) throws(Malformed) -> Found {
        guard let found else { throw Malformed() }
        return found
    }
}
