import Foundation
import KafkaClient
import PayloadModel
import QueryService

/// Reads records of the outcomes topic.
struct OutcomeRecordDecoder {
    private let decoder = JSONDecoder()

    private struct Event: Decodable {
        struct Stage: Decodable { let service: String }

        let type: String
        let account: String?
        let orgID: String?
        let services: [String]
        let failedStages: [Stage]

        private enum CodingKeys: String, CodingKey {
            case type, account, services
            case orgID = "org_id"
            case failedStages = "failed_stages"
        }
    }

    private static let types = Set(Outcome.allCases.map { "payload-\($0.name)" })

    /// Nil: not an outcome event; another program writes to the topic.
    func outcome(_ record: borrowing ConsumedRecord) -> CommittedOutcome? {
        guard let value = record.value, let event = try? decoder.decode(Event.self, from: Data(value)),
            Self.types.contains(event.type)
        else {
            return nil
        }
        return CommittedOutcome(
            partition: record.partition,
            offset: record.offset,
            type: event.type,
            account: event.account,
            orgID: event.orgID.map { Text($0) },
            services: Set(event.services),
            failedServices: Set(event.failedStages.map(\.service)),
            // In JSON they can only stand between tokens.
            json: value.map { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") ? UInt8(ascii: " ") : $0 }
        )
    }
}
