/// Room for the reason of a failure, as librdkafka's functions write it: `f(…, &text.bytes, ErrorText.size)`.
struct ErrorText {
    static let size = 512

    var bytes = [CChar](repeating: 0, count: ErrorText.size)

    var string: String {
        String(decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
