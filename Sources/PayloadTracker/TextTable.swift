/// Rows for people, in columns as wide as their longest cell.
struct TextTable {
    private let rows: [[String]]

    /// - Parameters:
    ///   - header: in capitals, to be told from the rest.
    ///   - rows: as many cells each. Foreign text is escaped here.
    init(_ header: [String], _ rows: [[String]]) {
        self.rows = ([header.map { $0.uppercased() }] + rows).map { $0.map(SingleLine.escape) }
    }

    /// Without spaces at their ends.
    var lines: [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let padded = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            let line = padded.joined(separator: "  ")
            return String(line[..<(line.lastIndex { $0 != " " }.map(line.index(after:)) ?? line.startIndex)])
        }
    }
}
