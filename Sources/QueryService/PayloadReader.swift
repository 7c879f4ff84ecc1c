import PayloadModel

/// Where the service reads the payloads of its own instance: committed state only.
///
/// The methods are called from many tasks at once, on the cooperative pool: an implementation that waits for a disk
/// does so elsewhere.
public protocol PayloadReader: Sendable {
    /// The payload and who answered.
    ///
    /// - Parameter takesStale: a standby's store will do where no task of this instance has the partition running.
    func document(_ id: PayloadID, takesStale: Bool) async throws(ReadFailure) -> LocatedDocument

    /// The history, newest first, at most `limit` entries or all of it.
    func statuses(_ id: PayloadID, limit: Int?, takesStale: Bool) async throws(ReadFailure) -> LocatedStatuses
}

/// Why a question about a payload cannot be answered.
public enum ReadFailure: Error, Sendable {
    /// The payload's partition does not have it: a 404.
    ///
    /// - Parameter stalenessRecords: as in `LocatedDocument`; nil where the client takes no stale answer.
    case unknown(PayloadID, stalenessRecords: Int64?)
    /// The partition is not on this instance: its owner has to be asked.
    case elsewhere(partition: Int32)
    /// No instance can answer for the partition now: a 503 with `Retry-After`. The reason is told to the client.
    case noOwner(partition: Int32?, reason: String, retryAfterSeconds: Int)
    /// The store cannot be read: a 500. The reason goes to the log and not to the client.
    case store(String)
}

/// A payload's history and how far behind it may be.
public struct LocatedStatuses: Staleable {
    public let data: [StatusReport]
    public let stalenessRecords: Int64

    /// - Parameter stalenessRecords: as in `LocatedDocument`.
    public init(data: [StatusReport], stalenessRecords: Int64 = 0) {
        self.data = data
        self.stalenessRecords = stalenessRecords
    }

    func write(to writer: inout JSONWriter, showsStaleness: Bool) {
        writer.object { writer in
            writer.name("data")
            writer.array(data) { $1.write(to: &$0) }
            if showsStaleness {
                writer.name("staleness_records")
                writer.number(stalenessRecords)
            }
        }
    }
}

/// A payload's document and who answered with it.
public struct LocatedDocument: Staleable {
    public let document: PayloadDocument
    public let partition: Int32
    /// The URL of the instance whose store was read.
    public let servedBy: String
    public let stalenessRecords: Int64

    /// - Parameter stalenessRecords: records of the changelog that the store lacked at the end that it last knew of, at most; 0 for the
    ///   store of a running task.
    public init(document: PayloadDocument, partition: Int32, servedBy: String, stalenessRecords: Int64 = 0) {
        self.document = document
        self.partition = partition
        self.servedBy = servedBy
        self.stalenessRecords = stalenessRecords
    }

    /// The document's own members, with the other two beside them.
    public func write(to writer: inout JSONWriter, showsStaleness: Bool = false) {
        document.write(
            to: &writer,
            source: PayloadDocument.Source(
                partition: partition,
                servedBy: servedBy,
                stalenessRecords: showsStaleness ? stalenessRecords : nil
            )
        )
    }
}
