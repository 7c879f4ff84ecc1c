import KafkaClient
import Testing

@Suite("Records")
struct RoundTripTests {
    private let partition = TopicPartition(topic: "records", partition: 0)
    private let broker: EmbeddedBroker
    private let producer: Producer
    private let topic: ProducerTopic

    init() throws {
        broker = try EmbeddedBroker(topics: [("records", 1), ("copies", 1), ("keyed", 12)])
        producer = try Producer(["bootstrap.servers": broker.bootstrapServers])
        topic = try producer.topic("records")
    }

    private func consumer(of partitions: [TopicPartition]) throws -> Consumer {
        let consumer = try Consumer(["bootstrap.servers": broker.bootstrapServers, "group.id": "reader"])
        try consumer.assign(
            Dictionary(uniqueKeysWithValues: partitions.map { ($0, Consumer.offsetBeginning) })
        )
        return consumer
    }

    private func takeAll() throws -> [ReceivedRecord] {
        try producer.flush(timeout: .seconds(30))
        return try consumer(of: [partition]).takeAll(of: [partition])
    }

    @Test("Headers, keys or timestamps would be lost or reordered on the way")
    func recordsComeBackWhole() throws {
        let headers = [
            Header(name: "a", text: "1"), Header(name: "b", value: [0, 255]), Header(name: "a", text: "2"),
            Header(name: "null", value: nil), Header(name: "empty", value: []),
        ]
        try producer.produce(
            to: topic,
            key: [1, 0, 2],
            value: Array("{}".utf8),
            timestamp: 1_700_000_000_123,
            headers: headers
        )
        try producer.produce(to: topic, key: nil, value: [1])
        let records = try takeAll()
        try #require(records.count == 2)
        #expect(records[0].topic == "records")
        #expect(records.map(\.offset) == [0, 1])
        #expect(records[0].key == [1, 0, 2])
        #expect(records[0].text == "{}")
        #expect(records[0].timestamp == 1_700_000_000_123)
        #expect(records[0].headers == headers)
        #expect(records[0].headersSize == "aba".utf8.count + "null".utf8.count + "empty".utf8.count + 1 + 2 + 1)
        #expect(records[1].timestamp > 1_700_000_000_123)
        #expect(records[1].headers.isEmpty)
        #expect(records[1].headersSize == 0)
    }

    @Test("A tombstone would be taken for an empty value, or stop the worker")
    func nullAndEmptyAreNotTheSame() throws {
        try producer.produce(to: topic, value: [UInt8]?.none)
        try producer.produce(to: topic, key: [], value: [])
        try producer.produce(to: topic, key: [7], value: nil)
        let records = try takeAll()
        #expect(records.map(\.key) == [nil, [], [7]])
        #expect(records.map(\.value) == [nil, [], nil])
    }

    @Test("A large record would be cut or refused", arguments: ["none", "gzip", "snappy", "lz4", "zstd"])
    func largeRecordsPass(codec: String) throws {
        let compressed = try producer.topic("copies", configuration: ["compression.codec": codec])
        var generator = SystemRandomNumberGenerator()
        let value = (0..<900_000).map { $0 % 3 == 0 ? UInt8.random(in: .min ... .max, using: &generator) : 7 }
        try producer.produce(to: compressed, key: nil, value: value)
        try producer.flush(timeout: .seconds(30))
        let copies = TopicPartition(topic: "copies", partition: 0)
        let records = try consumer(of: [copies]).takeAll(of: [copies])
        #expect(records.count == 1)
        #expect(records.first?.value == value)
    }

    @Test("A forwarded record would lose its headers")
    func headersAreCopiedFromARecord() throws {
        let original = [Header(name: "a", text: "1"), Header(name: "a", value: nil), Header(name: "z", value: [])]
        let added = [Header(name: "a", text: "3")]
        try producer.produce(to: topic, value: [1], headers: original)
        try producer.produce(to: topic, value: [2])
        try producer.flush(timeout: .seconds(30))

        let reader = try consumer(of: [partition])
        let copies = try producer.topic("copies")
        var count = 0
        let forwarded = try eventually({ count == 2 }) {
            guard case .record(let record)? = reader.poll(timeout: .milliseconds(50)) else { return }
            try producer.produce(
                to: copies,
                key: record.key,
                value: record.value,
                timestamp: record.timestamp,
                headers: RecordHeaders(copying: record, adding: added)
            )
            count += 1
        }
        #expect(forwarded)
        try producer.flush(timeout: .seconds(30))
        let target = TopicPartition(topic: "copies", partition: 0)
        let records = try consumer(of: [target]).takeAll(of: [target])
        #expect(records.map(\.headers) == [original + added, added])
        #expect(records.map(\.value) == [[1], [2]])
    }

    @Test("A key would land in another partition than the one its owner reads")
    func theProducerPartitionsLikeThePartitioner() throws {
        let keyed = try producer.topic("keyed")
        let keys = (0..<100).map { "payload-\($0)" }
        for key in keys {
            try producer.produce(to: keyed, key: key, text: key)
        }
        try producer.flush(timeout: .seconds(30))
        let all = (0..<12).map { TopicPartition(topic: "keyed", partition: $0) }
        let records = try consumer(of: all).takeAll(of: Set(all))
        #expect(Set(records.map(\.text)) == Set(keys))
        for record in records {
            let expected = try #require(record.key).withUnsafeBytes { Partitioner.murmur2($0, partitionCount: 12) }
            #expect(record.partition == expected)
        }
    }

    @Test("Another process could not use the embedded broker")
    func otherProcessesReachTheBroker() async throws {
        try producer.produce(to: topic, key: nil, text: "from the parent")
        try producer.flush(timeout: .seconds(30))
        await #expect(processExitsWith: .success) { [servers = broker.bootstrapServers as String] in
            let partition = TopicPartition(topic: "records", partition: 0)
            let reader = try Consumer(["bootstrap.servers": servers, "group.id": "child"])
            try reader.assign([partition: Consumer.offsetBeginning])
            let records = try reader.takeAll(of: [partition])
            try #require(records.map(\.text) == ["from the parent"])
            reader.close()
        }
    }
}
