import KafkaClient
import Testing

@Suite("Partitioner")
struct PartitionerTests {
    /// From Kafka's own UtilsTest.testMurmur2.
    @Test(
        "Other clients would look for a key in another partition",
        arguments: [
            ("21", Int32(-973_932_308)), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971), ("abc", 479_470_107),
        ]
    )
    func agreesWithJava(key: String, hash: Int32) {
        let positive = hash & 0x7fff_ffff
        for count: Int32 in [1, 2, 3, 12, 128, .max] {
            let partition = Array(key.utf8).withUnsafeBytes { Partitioner.murmur2($0, partitionCount: count) }
            #expect(partition == positive % count)
        }
    }

    @Test("A record with an empty key would bring the worker down")
    func takesAnEmptyKey() {
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        #expect((0..<12).contains(Partitioner.murmur2(empty, partitionCount: 12)))
    }
}
