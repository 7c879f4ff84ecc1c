import Foundation
import HTTPTypes
import PayloadModel

/// A page of a list of several instances.
struct MergedPage {
    /// A payload as it is answered, and where it belongs.
    struct Item {
        let position: ListPosition
        let partition: Int32
        let object: JSONValue
    }

    /// The page of one instance.
    struct Part {
        var items: [Item]
        /// All up to here has been looked at; nil: all there is.
        var next: ListPosition?
        /// The partitions that it does not have.
        var missing: Set<Int32>
        /// The partitions that it only stands by for, with the staleness of each.
        var standbys: [Int32: Int64]
    }

    let items: [Item]
    let next: ListPosition?
    /// The partitions that nobody had.
    let missing: Set<Int32>
    /// The partitions of which a standby was read, with the staleness of each.
    let standbys: [Int32: Int64]

    init(_ part: Part) {
        items = part.items
        next = part.next
        missing = part.missing
        standbys = part.standbys
    }

    /// - Parameters:
    ///   - parts: by the instance that answered.
    ///   - owners: who is believed where several have a partition running, which happens while it moves; else the first by name. A
    ///     standby is believed where nobody has, the one that lacks the least.
    init(_ parts: [TrackerInstance: Part], owners: [Int32: TrackerInstance], limit: Int) {
        // Up to here everybody has looked: beyond it there may be payloads that nobody has told of yet.
        let horizon = parts.values.compactMap(\.next).min()
        let byName = parts.sorted { $0.key.name < $1.key.name }
        let believed = { (partition: Int32) -> (instance: TrackerInstance, staleness: Int64?)? in
            let having = byName.filter { !$0.value.missing.contains(partition) }
            let running = having.filter { $0.value.standbys[partition] == nil }
            let first = running.first { $0.key == owners[partition] } ?? running.first
            if let first { return (first.key, nil) }
            return having.map { (instance: $0.key, staleness: $0.value.standbys[partition] ?? 0) }
                .min { $0.staleness < $1.staleness }
        }
        var sources: [Int32: TrackerInstance] = [:]
        for partition in Set(parts.values.flatMap { $0.items.map(\.partition) }) {
            sources[partition] = believed(partition)?.instance
        }
        let eligible = parts.flatMap { instance, part in
            part.items.filter { item in
                if let horizon, horizon < item.position { return false }
                return sources[item.partition] == instance
            }
        }
        .sorted { $0.position < $1.position }
        items = Array(eligible.prefix(limit))
        next = eligible.count > limit ? items.last?.position : horizon
        let first = byName.first?.value.missing ?? []
        missing = byName.dropFirst().reduce(first) { $0.intersection($1.value.missing) }
        var standbys: [Int32: Int64] = [:]
        for partition in Set(parts.values.flatMap(\.standbys.keys)) {
            standbys[partition] = believed(partition)?.staleness
        }
        self.standbys = standbys
    }

    /// What to tell a client that wants all partitions; nil: it has them.
    var incompleteness: Problem? {
        if missing.isEmpty { return nil }
        let list = missing.sorted().map { "\($0)" }.joined(separator: ", ")
        return .unavailable(
            "partition \(list) cannot be listed now; partial=allowed gives the list without it",
            retryAfterSeconds: 2
        )
    }
}

extension MergedPage.Part {
    /// This instance's own page. Throws when its JSON cannot be read, which is a fault of the program.
    init(_ page: PayloadPage) throws(Problem) {
        do {
            var writer = JSONWriter()
            writer.array(page.items) { $1.write(to: &$0) }
            let objects = try JSONDecoder().decode([JSONValue].self, from: Data(writer.bytes))
            items = try objects.map { try MergedPage.Item($0) }
        } catch {
            throw Problem(status: .internalServerError, detail: "a payload's JSON cannot be read")
        }
        next = page.next
        missing = Set(page.missing)
        standbys = page.standbys
    }

    /// The page that another instance answered with. Throws for what is none.
    init(_ body: Data, filter: PayloadFilter) throws {
        let page = try JSONDecoder().decode(Answer.self, from: body)
        items = try page.data.map { try MergedPage.Item($0) }
        next = try page.nextCursor.map { cursor in
            guard let position = PageCursor.decode(cursor, filter) else { throw NotAPage() }
            return position
        }
        missing = Set(page.missing)
        standbys = Dictionary((page.standbys ?? []).map { ($0.partition, $0.stalenessRecords) }) { max($0, $1) }
    }

    private struct Answer: Decodable {
        let data: [JSONValue]
        let nextCursor: String?
        let missing: [Int32]
        /// Nil: it was not asked for them.
        let standbys: [StandbyPartition]?

        private enum CodingKeys: String, CodingKey {
            case data
            case nextCursor = "next_cursor"
            case missing = "missing_partitions"
            case standbys = "standby_partitions"
        }
    }
}

extension MergedPage.Item {
    fileprivate init(_ object: JSONValue) throws {
        guard case .object(let fields) = object,
            let updatedAt = fields["updated_at"]?.string.flatMap({ Timestamp(text: $0) }),
            let text = fields["payload_id"]?.string, let id = try? PayloadID(normalizing: text),
            let partition = fields["partition"]?.integer.flatMap({ Int32(exactly: $0) })
        else {
            throw NotAPage()
        }
        self.init(position: ListPosition(updatedAt: updatedAt, id: id), partition: partition, object: object)
    }
}

/// An answer that is no page of a list.
private struct NotAPage: Error {}
