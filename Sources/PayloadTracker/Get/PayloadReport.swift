import Foundation

/// The endpoint's document of a payload, as far as the timeline shows it.
struct PayloadReport: Decodable {
    let payloadId: String
    let status: String
    let outcome: String
    let revision: Int
    let reason: Entry?
    let failedStages: [Entry]
    let recoveredFailures: [Entry]
    let missingServices: [String]
    let stages: [Stage]
    let account: String?
    let orgId: String?
    let inventoryIds: [String]
    let systemIds: [String]
    let startedAt: String?
    let durationMs: Int?
    let partition: Int?
    let servedBy: String?
    let truncated: [String]

    struct Entry: Decodable {
        let service: String
        let source: String?
        let status: String
        let rawStatus: String
        let statusMsg: String?
    }

    struct Stage: Decodable {
        let service: String
        let source: String?
        let status: String
        let rawStatus: String
        let statusMsg: String?
        let firstDate: String
        let durationMs: Int
        let entries: Int
    }

    init(json: Data) throws(CommandFailure) {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            self = try decoder.decode(PayloadReport.self, from: json)
        } catch {
            throw CommandFailure("the answer is not a payload: is this the tracker's address?")
        }
    }
}
