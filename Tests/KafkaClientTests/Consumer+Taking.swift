import KafkaClient

extension Consumer {
    /// Takes one event; records go to `records`, partition ends to `ends`.
    func poll(into records: inout [ReceivedRecord], ends: inout [TopicPartition: Int64]) throws {
        switch poll(timeout: .milliseconds(50)) {
        case .record(let record)?: records.append(ReceivedRecord(record))
        case .partitionEnd(let partition, let offset)?: ends[partition] = offset
        case .error(let error, _)?: if error.kind != .retriable { throw error }
        case nil: break
        }
    }

    /// The next `count` records; fewer if that takes unreasonably long.
    func take(_ count: Int) throws -> [ReceivedRecord] {
        var records: [ReceivedRecord] = []
        var ends: [TopicPartition: Int64] = [:]
        _ = try eventually({ records.count >= count }, polling: { try poll(into: &records, ends: &ends) })
        return records
    }

    /// Everything up to the end of each of these partitions.
    func takeAll(of partitions: Set<TopicPartition>) throws -> [ReceivedRecord] {
        var records: [ReceivedRecord] = []
        var ends: [TopicPartition: Int64] = [:]
        _ = try eventually(
            { partitions.isSubset(of: ends.keys) },
            polling: { try poll(into: &records, ends: &ends) }
        )
        return records
    }
}
