/// Appends fields in the encoding of Protocol Buffers (protobuf.dev/programming-guides/encoding) straight from what is kept: a tree of
/// generated messages in between took most of the time of a commit.
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func varint(_ field: UInt32, _ value: UInt64) {
        tag(field, .varint)
        append(value)
    }

    /// `sint64`.
    mutating func zigzag(_ field: UInt32, _ value: Int64) { varint(field, ProtobufWriter.zigzag(value)) }

    mutating func string(_ field: UInt32, _ value: String) {
        let utf8 = value.utf8
        message(field, size: utf8.count) { $0.bytes.append(contentsOf: utf8) }
    }

    /// - Parameter size: the bytes that `body` appends.
    mutating func message(_ field: UInt32, size: Int, _ body: (inout ProtobufWriter) -> Void) {
        tag(field, .lengthDelimited)
        append(UInt64(size))
        body(&self)
    }

    private mutating func tag(_ field: UInt32, _ type: ProtobufWireType) {
        append(UInt64(field << 3 | UInt32(type.rawValue)))
    }

    private mutating func append(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: value))
    }

    // MARK: Sizes, of fields whose number is below 16: their tags have one byte

    static func size(ofVarint value: UInt64) -> Int { 1 + byteCount(value) }
    static func size(ofZigzag value: Int64) -> Int { size(ofVarint: zigzag(value)) }
    static func size(ofLength length: Int) -> Int { 1 + byteCount(UInt64(length)) + length }
    static func size(of string: String) -> Int { size(ofLength: string.utf8.count) }

    private static func byteCount(_ value: UInt64) -> Int { max((70 - value.leadingZeroBitCount) / 7, 1) }
    private static func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: (value << 1) ^ (value >> 63)) }
}

enum ProtobufWireType: UInt8 {
    case varint = 0
    case fixed64 = 1
    case lengthDelimited = 2
    case fixed32 = 5
}
