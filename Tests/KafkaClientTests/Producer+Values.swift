import KafkaClient

extension Producer {
    /// Produces copies of Swift values.
    func produce(
        to topic: ProducerTopic,
        partition: Int32? = nil,
        key: [UInt8]? = nil,
        value: [UInt8]?,
        timestamp: Int64 = 0,
        headers: [Header] = [],
        opaque: UInt = 0
    ) throws {
        try withBytes(key) { key in
            try withBytes(value) { value in
                try produce(
                    to: topic,
                    partition: partition,
                    key: key,
                    value: value,
                    timestamp: timestamp,
                    headers: RecordHeaders(headers),
                    opaque: opaque
                )
            }
        }
    }

    func produce(
        to topic: ProducerTopic,
        partition: Int32? = nil,
        key: String? = nil,
        text: String,
        opaque: UInt = 0
    ) throws {
        try produce(
            to: topic,
            partition: partition,
            key: key.map { Array($0.utf8) },
            value: Array(text.utf8),
            opaque: opaque
        )
    }
}

private func withBytes(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) throws -> Void) rethrows {
    guard let bytes else { return try body(nil) }
    try bytes.withUnsafeBytes(body)
}
