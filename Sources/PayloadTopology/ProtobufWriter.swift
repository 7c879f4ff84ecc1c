/// Writes fields in the encoding of Protocol Buffers (protobuf.dev/programming-guides/encoding) straight from what is kept: a tree of
/// generated messages in between took most of the time of a commit. The size is known before, so that nothing is grown or moved.
struct ProtobufWriter {
    /// Where the next byte goes, and all that may follow.
    private var rest: UnsafeMutableRawBufferPointer

    /// What `body` writes, which has to be `size` bytes.
    static func bytes(size: Int, _ body: (inout ProtobufWriter) -> Void) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            var writer = ProtobufWriter(rest: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: size))
            body(&writer)
            precondition(writer.rest.isEmpty, "a message is smaller than it was said to be")
            count = size
        }
    }

    mutating func varint(_ field: UInt32, _ value: UInt64) {
        tag(field, .varint)
        append(value)
    }

    /// `sint64`.
    mutating func zigzag(_ field: UInt32, _ value: Int64) { varint(field, ProtobufWriter.zigzag(value)) }

    mutating func string(_ field: UInt32, _ value: String) {
        var value = value
        value.withUTF8 { text in
            message(field, size: text.count) { writer in
                writer.checkRoom(text.count)
                writer.rest.copyMemory(from: UnsafeRawBufferPointer(text))
                writer.skip(text.count)
            }
        }
    }

    /// - Parameter size: the bytes that `body` writes.
    mutating func message(_ field: UInt32, size: Int, _ body: (inout ProtobufWriter) -> Void) {
        tag(field, .lengthDelimited)
        append(UInt64(size))
        body(&self)
    }

    private func checkRoom(_ count: Int) {
        precondition(count <= rest.count, "a message is larger than it was said to be")
    }

    private mutating func skip(_ count: Int) { rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...]) }

    private mutating func tag(_ field: UInt32, _ type: ProtobufWireType) {
        append(UInt64(field << 3 | UInt32(type.rawValue)))
    }

    private mutating func append(_ value: UInt64) {
        let count = ProtobufWriter.byteCount(value)
        checkRoom(count)
        var value = value
        for index in 0..<count - 1 {
            rest[index] = UInt8(truncatingIfNeeded: value) | 0x80
            value >>= 7
        }
        rest[count - 1] = UInt8(truncatingIfNeeded: value)
        skip(count)
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
