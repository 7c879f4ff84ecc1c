import Foundation

/// Asks all instances for their partitions, at once.
struct PartitionGatherer {
    let peers: Peers

    private static let patience = Duration.seconds(3)

    /// - Parameter own: what this instance says.
    func merged(_ own: PartitionsDocument) async -> PartitionsDocument {
        let map = await peers.knownMap
        let others = map.instances.filter { $0 != peers.directory.own }
        let answers = await peers.gather(
            from: others,
            "/v1/partitions?local=true",
            patience: PartitionGatherer.patience
        ) { try? JSONDecoder().decode(PartitionsDocument.self, from: $0) }
        return own.merged(with: others.map { ($0, answers[$0]) }, map: map)
    }
}
