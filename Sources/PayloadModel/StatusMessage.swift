/// One accepted status message, decoded and normalised (contract, section 2).
public struct StatusMessage: Hashable, Sendable {
    public var payloadID: PayloadID
    public var service: Text
    public var source: Text?
    public var entry: StatusEntry
    public var account: Text?
    public var orgID: Text?
    public var inventoryID: Text?
    public var systemID: Text?

    public init(
        payloadID: PayloadID,
        service: Text,
        source: Text? = nil,
        entry: StatusEntry,
        account: Text? = nil,
        orgID: Text? = nil,
        inventoryID: Text? = nil,
        systemID: Text? = nil
    ) {
        self.payloadID = payloadID
        self.service = service
        self.source = source
        self.entry = entry
        self.account = account
        self.orgID = orgID
        self.inventoryID = inventoryID
        self.systemID = systemID
    }
}

/// What one message says of its stage. Entries of a stage are ordered as the contract's section 3 says; the greatest is current.
public struct StatusEntry: Hashable, Comparable, Sendable {
    public var date: Timestamp
    public var status: Status
    /// The producer's word in lower case.
    public var rawStatus: Text
    public var message: Text?

    public init(date: Timestamp, status: Status, rawStatus: Text, message: Text? = nil) {
        self.date = date
        self.status = status
        self.rawStatus = rawStatus
        self.message = message
    }

    public static func < (a: StatusEntry, b: StatusEntry) -> Bool {
        if a.date != b.date { return a.date < b.date }
        if a.status != b.status { return a.status < b.status }
        if a.message != b.message { return Text?.precedes(a.message, b.message) }
        return a.rawStatus < b.rawStatus
    }
}

/// Why a record cannot be taken: it goes to the dead-letter topic with this (contract, section 5).
public struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: String, Hashable, Sendable, CaseIterable {
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
        case misKeyed = "mis-keyed"
        case tooManyStages = "too-many-stages"
    }

    public let reason: Reason
    /// A sentence that a person can act on.
    public let detail: String
    /// The service that sent the record, where it got as far as naming one.
    public let service: Text?

    public init(_ reason: Reason, _ detail: String, service: Text? = nil) {
        self.reason = reason
        self.detail = detail
        self.service = service
    }

    public var description: String { "\(reason.rawValue): \(detail)" }
}
