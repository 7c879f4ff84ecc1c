import CRdKafka
import Foundation

/// Owns a `rd_kafka_topic_partition_list_t`.
struct TopicPartitionList: ~Copyable {
    let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    /// Takes over `pointer`.
    init(taking pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) {
        self.pointer = pointer
    }

    init(_ partitions: some Collection<TopicPartition>) {
        pointer = rd_kafka_topic_partition_list_new(Int32(clamping: partitions.count))
        for partition in partitions {
            rd_kafka_topic_partition_list_add(pointer, partition.topic, partition.partition)
        }
    }

    init(_ offsets: [TopicPartition: Int64]) {
        pointer = rd_kafka_topic_partition_list_new(Int32(clamping: offsets.count))
        for (partition, offset) in offsets {
            rd_kafka_topic_partition_list_add(pointer, partition.topic, partition.partition).pointee.offset = offset
        }
    }

    init(topics: [String]) {
        pointer = rd_kafka_topic_partition_list_new(Int32(clamping: topics.count))
        for topic in topics {
            rd_kafka_topic_partition_list_add(pointer, topic, RD_KAFKA_PARTITION_UA)
        }
    }

    deinit { rd_kafka_topic_partition_list_destroy(pointer) }

    var partitions: [TopicPartition] { pointer.pointee.partitions }

    /// The offset of each partition; those without one (negative) are absent.
    var offsets: [TopicPartition: Int64] {
        var offsets: [TopicPartition: Int64] = [:]
        for element in pointer.pointee.elements where element.offset >= 0 {
            offsets[element.topicPartition] = element.offset
        }
        return offsets
    }

    /// As `offsets`, with the text that was committed beside each.
    var commits: [TopicPartition: Consumer.Commit] {
        var commits: [TopicPartition: Consumer.Commit] = [:]
        for element in pointer.pointee.elements where element.offset >= 0 {
            let metadata = UnsafeRawBufferPointer(start: element.metadata, count: element.metadata_size)
            commits[element.topicPartition] = Consumer.Commit(
                offset: element.offset,
                metadata: String(decoding: metadata, as: UTF8.self)
            )
        }
        return commits
    }

    /// Gives every partition the same text; once.
    func setMetadata(_ text: String) {
        guard !text.isEmpty, let elements = pointer.pointee.elems else { return }
        for index in 0..<Int(pointer.pointee.cnt) {
            // The list frees it.
            elements[index].metadata = UnsafeMutableRawPointer(strdup(text))
            elements[index].metadata_size = text.utf8.count
        }
    }

    /// Throws the first error among the partitions.
    func checkEach() throws(KafkaError) {
        for element in pointer.pointee.elements {
            try KafkaError.check(element.err, element.topicPartition)
        }
    }
}

extension rd_kafka_topic_partition_list_t {
    var elements: UnsafeBufferPointer<rd_kafka_topic_partition_t> {
        UnsafeBufferPointer(start: elems, count: Int(cnt))
    }

    var partitions: [TopicPartition] { elements.map(\.topicPartition) }
}

extension rd_kafka_topic_partition_t {
    var topicPartition: TopicPartition { TopicPartition(topic: String(cString: topic), partition: partition) }
}

extension UnsafeBufferPointer {
    static var empty: UnsafeBufferPointer { UnsafeBufferPointer(start: nil, count: 0) }
}
