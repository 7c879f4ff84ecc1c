import CRdKafka

extension Admin {
    /// Deletes every record before the given offset of each partition (KIP-107); `Consumer.offsetEnd` stands for all of
    /// them. The result is the partition's first offset afterwards.
    public func deleteRecords(
        before offsets: [TopicPartition: Int64],
        timeout: Duration
    ) throws(KafkaError) -> [TopicPartition: Result<Int64, KafkaError>] {
        guard !offsets.isEmpty else { return [:] }
        let list = TopicPartitionList(offsets)
        var handle = rd_kafka_DeleteRecords_new(list.pointer)
        defer { rd_kafka_DeleteRecords_destroy(handle) }
        return try request(RD_KAFKA_ADMIN_OP_DELETERECORDS, timeout: timeout) { client, options, queue in
            rd_kafka_DeleteRecords(client, &handle, 1, options, queue)
        } read: { event in
            let results = rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event))
            var outcomes: [TopicPartition: Result<Int64, KafkaError>] = [:]
            for element in results?.pointee.elements ?? .empty {
                let partition = element.topicPartition
                outcomes[partition] =
                    element.err == RD_KAFKA_RESP_ERR_NO_ERROR
                    ? .success(element.offset)
                    : .failure(KafkaError(KafkaError.Code(element.err), about: partition))
            }
            return outcomes
        }
    }
}
