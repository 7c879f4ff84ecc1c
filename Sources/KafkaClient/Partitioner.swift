import CRdKafka

/// Which partition a key belongs to.
public enum Partitioner {
    /// Java's default partitioner for records with a key: murmur2 of the key, made positive, modulo `partitionCount`. It
    /// is librdkafka's own function, so it agrees with what a `Producer` with `partitioner=murmur2_random` chooses.
    public static func murmur2(_ key: UnsafeRawBufferPointer, partitionCount: Int32) -> Int32 {
        precondition(partitionCount > 0, "a topic has at least one partition")
        return rd_kafka_msg_partitioner_murmur2(nil, key.baseAddress, key.count, partitionCount, nil, nil)
    }
}
