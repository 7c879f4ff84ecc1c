import ArgumentParser
import Foundation
import KafkaClient
import Testing

@testable import PayloadTracker

/// What someone who sends messages relies on: they arrive as they were given, all of them, or the command says so.
@Suite struct SendTests {
    @Test("arguments become one status message, with only the fields that were given")
    func arguments() throws {
        let full = try StatusMessageOptions.parse([
            "--payload-id", "a", "--service", "b", "--status", "c", "--source", "d", "--status-msg", "\"q\"\n\\",
            "--date", "e", "--account", "1", "--org-id", "2", "--inventory-id", "3", "--system-id", "4",
        ])
        let object = try JSONDecoder().decode([String: String].self, from: Data(try #require(full.json)))
        #expect(
            object == [
                "payload_id": "a", "service": "b", "status": "c", "source": "d", "status_msg": "\"q\"\n\\", "date": "e",
                "account": "1", "org_id": "2", "inventory_id": "3", "system_id": "4",
            ]
        )
        let bare = try StatusMessageOptions.parse(["--payload-id", "a", "--service", "b", "--status", "c"])
        #expect(try #require(bare.json) == Array(#"{"payload_id":"a","service":"b","status":"c"}"#.utf8))
        #expect(try StatusMessageOptions.parse([]).json == nil)
    }

    @Test(
        "half a message is a wrong use, not a message",
        arguments: [["--service", "b"], ["--payload-id", "a", "--status", "c"]]
    )
    func incomplete(arguments: [String]) throws {
        let error = try #require(throws: (any Error).self) { try PayloadTracker.parseAsRoot(["send"] + arguments) }
        #expect(PayloadTracker.Ending(of: error).exitCode == 2)
    }

    @Test("lines are cut at newlines only, however the stream arrives", arguments: [1, 2, 3, 7, 100])
    func lines(chunk: Int) {
        let stream: [UInt8] = [0x61, 0x0A, 0x0A, 0xFF, 0x00, 0x0D, 0x0A, 0x62, 0x63]
        var splitter = LineSplitter()
        var lines: [[UInt8]] = []
        for start in stride(from: 0, to: stream.count, by: chunk) {
            lines += splitter.append(stream[start..<min(start + chunk, stream.count)])
        }
        #expect(lines == [[0x61], [], [0xFF, 0x00, 0x0D]])
        #expect(splitter.finish() == [0x62, 0x63])
    }

    @Test("messages arrive in the input topic byte for byte and without a key, and are counted")
    func delivery() throws {
        let broker = try EmbeddedBroker(topics: [("in", 1)])
        let flags = ["--bootstrap-servers", broker.bootstrapServers, "--topics-input", "in"]
        let producer = try StatusProducer(try settings(flags))
        let values: [[UInt8]] = (0..<100).map { [0xFF, 0x00, UInt8($0)] }
        for value in values { try producer.send(value) }
        try producer.finish()
        #expect(producer.writtenCount == 100)
        #expect(try records(of: "in", at: broker, count: 100) == values)
    }

    @Test("a topic that cannot be written to is told, with what was written before")
    func unreachable() throws {
        let flags = ["--bootstrap-servers", "127.0.0.1:1", "--set", "kafka.message.timeout.ms=500"]
        let producer = try StatusProducer(try settings(flags))
        try producer.send([0x61])
        let failure = try #require(throws: CommandFailure.self) { try producer.finish() }
        #expect(failure.exitCode == 1)
        #expect(failure.description.contains("platform.payload-status"))
        #expect(failure.description.contains("0 written"))
    }

    /// The values of a topic's first records, all of which have no key.
    private func records(of topic: String, at broker: EmbeddedBroker, count: Int) throws -> [[UInt8]] {
        let consumer = try Consumer(["bootstrap.servers": broker.bootstrapServers, "group.id": "test"])
        defer { consumer.close() }
        try consumer.assign([TopicPartition(topic: topic, partition: 0): 0])
        var values: [[UInt8]] = []
        let deadline = ContinuousClock.now + .seconds(60)
        while values.count < count, .now < deadline {
            guard case .record(let record) = consumer.poll(timeout: .milliseconds(100)) else { continue }
            #expect(record.key == nil)
            values.append(record.value.map { Array($0) } ?? [])
        }
        return values
    }
}
