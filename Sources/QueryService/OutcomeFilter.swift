import PayloadModel

/// Which outcomes a listener wants to hear of.
struct OutcomeFilter: Sendable {
    static let parameters: Set<String> = ["type", "account", "service", "failed_service"]

    private let access: Access
    private let types: Set<String>
    private let account: String?
    private let service: String?
    private let failedService: String?

    private static let knownTypes = Set(Outcome.allCases.filter { $0 != .open }.map { "payload-\($0.name)" })

    init(_ query: QueryParameters, _ access: Access) throws(Problem) {
        self.access = access
        let types = query.text("type").map { text in
            Set(text.split(separator: ",", omittingEmptySubsequences: false).map(String.init))
        }
        for type in types ?? [] where !Self.knownTypes.contains(type) {
            let known = Self.knownTypes.sorted().joined(separator: ", ")
            throw .badRequest("type is \"\(type)\"; known here, alone or with commas between them: \(known)")
        }
        self.types = types ?? Self.knownTypes
        account = try Self.word("account", query)
        service = try Self.word("service", query)
        failedService = try Self.word("failed_service", query)
    }

    func wants(_ outcome: CommittedOutcome) -> Bool {
        types.contains(outcome.type)
            && (access.orgID == nil || access.orgID == outcome.orgID)
            && (account == nil || account == outcome.account)
            && (service.map(outcome.services.contains) ?? true)
            && (failedService.map(outcome.failedServices.contains) ?? true)
    }

    private static func word(_ name: String, _ query: QueryParameters) throws(Problem) -> String? {
        let text = query.text(name)
        guard text != "" else { throw .badRequest("\(name) is empty") }
        return text
    }
}
