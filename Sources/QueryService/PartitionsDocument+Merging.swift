extension PartitionsDocument {
    /// What an instance that was asked said of its partitions; nil: it did not answer.
    typealias Answers = [(instance: TrackerInstance, document: PartitionsDocument?)]

    /// All partitions, each as its owner sees it, or else a standby. Where no instance says that it has a partition, and the one that the map
    /// names did not answer, the map has the last word, without figures. All that anyone says of standbys is told.
    ///
    /// - Parameter self: what this instance says; it knows of all partitions.
    func merged(with answers: Answers, map: InstanceMap) -> PartitionsDocument {
        let documents = [self] + answers.compactMap(\.document)
        let silent = Set(answers.filter { $0.document == nil }.map(\.instance))
        let claims = Dictionary(grouping: documents.flatMap(\.data)) { $0.offsets.partition }
        let read = Dictionary(grouping: documents.flatMap(\.input)) { $0.partition }
        return PartitionsDocument(
            data: data.map { own in
                let partition = own.offsets.partition
                let owner = map.owners[partition]
                let told = claims[partition, default: []]
                let best = told.max { PartitionsDocument.rank($0, owner) < PartitionsDocument.rank($1, owner) }
                var merged = best ?? own
                merged.standbys = told.flatMap(\.standbys).sorted { $0.instance < $1.instance }
                guard let owner, silent.contains(owner), merged.owner == nil else { return merged }
                merged.owner = owner.name
                merged.url = owner.url
                if merged.state == .unassigned { merged.state = nil }
                return merged
            },
            // Only its owner knows a position; after a move the later one is right.
            input: input.map { own in
                read[own.partition, default: []].max { ($0.position ?? -1) < ($1.position ?? -1) } ?? own
            }
        )
    }

    /// Who is believed: one that runs rather than one that does not yet, of two that run the one that the group has named, and of two that
    /// stand by the one that lacks less.
    private static func rank(_ claim: Payloads, _ owner: TrackerInstance?) -> (Int, Int64) {
        let isNamed = claim.owner != nil && claim.owner == owner?.name ? 1 : 0
        return switch claim.state {
        case .running: (6 + isNamed, 0)
        case .restoring: (4 + isNamed, 0)
        case .standby: (2, -max(claim.standbys.first?.lag ?? 0, 0))
        case .unassigned, nil: (0, 0)
        }
    }
}
