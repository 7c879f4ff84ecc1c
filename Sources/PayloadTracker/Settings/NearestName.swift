/// Finds what someone meant who mistyped a name.
enum NearestName {
    /// The name with the fewest edits from `name`, if they are few for its length.
    static func find(_ name: String, in known: some Sequence<String>) -> String? {
        known.map { (name: $0, edits: edits(from: name, to: $0)) }
            .filter { $0.edits <= max(2, name.count / 4) }
            .min { ($0.edits, $0.name) < ($1.edits, $1.name) }?
            .name
    }

    /// The Levenshtein distance: how many characters to insert, delete or replace.
    private static func edits(from first: String, to second: String) -> Int {
        let second = Array(second)
        var row = Array(0...second.count)
        for (line, character) in first.enumerated() {
            var diagonal = row[0]
            row[0] = line + 1
            for column in second.indices {
                let replaced = diagonal + (character == second[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
            }
        }
        return row[second.count]
    }
}
