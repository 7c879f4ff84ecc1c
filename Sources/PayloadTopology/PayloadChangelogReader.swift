import PayloadModel
import RocksStore
import StreamRuntime

/// Fills payload stores from their changelog, and compares the two.
struct PayloadChangelogReader: ChangelogReader {
    let rules: PayloadRules

    private static let maxDifferences = 10

    func isUnfinished(_ store: Database) throws(StreamError) -> Bool { try PayloadBulkRestoration.isUnfinished(store) }

    func makeRestoration(of store: Database, isEmpty: Bool) throws(StreamError) -> any Restoration {
        if try isEmpty ? true : isUnfinished(store) {
            return try PayloadBulkRestoration(store, isEmpty: isEmpty, rules: rules)
        }
        try PayloadBulkRestoration.removeFiles(of: store)
        return try PayloadRestoration(store, rules: rules)
    }

    func differences(of store: Database, from rebuilt: Database) throws(StreamError) -> [String] {
        var differences: [String] = []
        try PayloadInspection.forEachPayload(of: rebuilt) { id, expected throws(StreamError) in
            let found = try PayloadStore.payload(id, in: store)
            if found == nil {
                differences.append("payload \(id) is in the changelog and not in the store")
            } else if found != expected.state {
                differences.append("payload \(id) is not as the changelog has it")
            }
            return differences.count < PayloadChangelogReader.maxDifferences
        }
        try PayloadInspection.forEachPayload(of: store) { id, _ throws(StreamError) in
            if try PayloadStore.payload(id, in: rebuilt) == nil {
                differences.append("payload \(id) is in the store and not in the changelog")
            }
            return differences.count < PayloadChangelogReader.maxDifferences
        }
        differences += try PayloadInspection.problems(
            of: store,
            rules: rules,
            atMost: PayloadChangelogReader.maxDifferences
        )
        return differences
    }
}
