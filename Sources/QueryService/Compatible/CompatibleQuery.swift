import PayloadModel

/// A page by its number.
struct CompatiblePage {
    private let start: Int
    let end: Int

    private static let parameters: Set<String> = ["page", "page_size", "sort_by", "sort_dir"]
    private static let defaultSize = 10

    /// - Parameter limit: of all pages together.
    init(_ parameters: QueryParameters, limit: Int) throws(Problem) {
        let page = try parameters.integer("page", in: 0...Int(Int32.max)) ?? 0
        let size = try parameters.integer("page_size", in: 1...limit) ?? CompatiblePage.defaultSize
        start = page * size
        end = start + size
        guard end <= limit else {
            throw .badRequest(
                "page \(page) with page_size \(size) reaches beyond the newest \(limit), which are all that can be paged by number; "
                    + "/v1/payloads goes on from page to page with its cursor"
            )
        }
    }

    /// The parameters of a list.
    static func query(_ query: String?, filters: Set<String>) throws(Problem) -> QueryParameters {
        try QueryParameters(known: parameters.union(filters), filters: filters, in: query)
    }

    func of<Row>(_ rows: [Row]) -> [Row] { Array(rows.dropFirst(start).prefix(end - start)) }
}

/// The order of a list.
struct CompatibleOrder {
    let key: String
    private let isAscending: Bool

    init(_ parameters: QueryParameters, _ sortable: Set<String>, default key: String) throws(Problem) {
        self.key = try parameters.word("sort_by", of: sortable) ?? key
        isAscending = try parameters.word("sort_dir", of: ["asc", "desc"]) == "asc"
    }

    var isNewestFirst: Bool { !isAscending && ["date", "created_at"].contains(key) }

    /// By bytes; what is not there comes last in either direction. Dates are all written alike.
    func precedes(_ a: String?, _ b: String?) -> Bool {
        guard let a, let b else { return a != nil && b == nil }
        return isAscending
            ? a.utf8.lexicographicallyPrecedes(b.utf8) : b.utf8.lexicographicallyPrecedes(a.utf8)
    }
}

/// Bounds of a date: `created_at_gte` and its like.
struct CompatibleDates {
    private let after: Timestamp?
    private let from: Timestamp?
    private let before: Timestamp?
    private let through: Timestamp?

    static func parameters(_ name: String) -> Set<String> { Set(["gt", "gte", "lt", "lte"].map { "\(name)_\($0)" }) }

    init(_ name: String, _ parameters: QueryParameters) throws(Problem) {
        after = try parameters.date("\(name)_gt")
        from = try parameters.date("\(name)_gte")
        before = try parameters.date("\(name)_lt")
        through = try parameters.date("\(name)_lte")
    }

    var isOpen: Bool { after == nil && from == nil && before == nil && through == nil }

    /// The least that may be within, RFC 3339; nil: any.
    var start: String? { [after, from].compactMap { $0 }.max()?.description }

    func contains(_ text: String?) -> Bool {
        guard let date = text.flatMap(Timestamp.init(text:)) else { return isOpen }
        return after.map { date > $0 } ?? true && from.map { date >= $0 } ?? true && before.map { date < $0 } ?? true
            && through.map { date <= $0 } ?? true
    }
}

extension QueryParameters {
    /// Of a client that was written for another service: parameters that are not known, and filters without a value, are no mistake.
    ///
    /// - Parameter filters: those of the known parameters that may be empty.
    init(known: Set<String>, filters: Set<String> = [], in query: String?) throws(Problem) {
        let kept = (query ?? "").split(separator: "&").filter { pair in
            let end = pair.firstIndex(of: "=") ?? pair.endIndex
            guard let name = pair[..<end].percentDecoded else { return true }
            let isEmptyFilter = filters.contains(name) && pair[end...].dropFirst().isEmpty
            return known.contains(name) && !isEmptyFilter
        }
        try self.init(kept.joined(separator: "&"), allowed: known)
    }

    fileprivate func word(_ name: String, of words: Set<String>) throws(Problem) -> String? {
        guard let text = text(name) else { return nil }
        guard words.contains(text) else {
            throw .badRequest("\(name) is \"\(text)\"; it can be one of: \(words.sorted().joined(separator: ", "))")
        }
        return text
    }

    fileprivate func date(_ name: String) throws(Problem) -> Timestamp? {
        guard let text = text(name) else { return nil }
        guard let date = Timestamp(text: text) else {
            throw .badRequest("\(name) is \"\(text)\", not a date such as 2024-01-02T03:04:05.678Z")
        }
        return date
    }
}
