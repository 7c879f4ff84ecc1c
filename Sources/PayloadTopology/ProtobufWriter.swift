/// Writes fields in the encoding of Protocol Buffers (protobuf.dev/programming-guides/encoding) straight from what is kept: a tree of
/// generated messages in between took most of the time of a commit. The size is known before, so that nothing is grown or moved.
struct ProtobufWriter {
    /// Where the next byte goes.
    private var next: UnsafeMutableRawPointer
    /// Bytes that may follow.
    private var room: Int

    /// What `body` writes, which has to be `size` bytes.
    static func bytes(size: Int, _ body: (inout ProtobufWriter) -> Void) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            guard let start = buffer.baseAddress else { return }
            var writer = ProtobufWriter(next: UnsafeMutableRawPointer(start), room: size)
            body(&writer)
            precondition(writer.room == 0, "a message is smaller than it was said to be")
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
                let start = writer.advance(text.count)
                if let bytes = text.baseAddress { start.copyMemory(from: bytes, byteCount: text.count) }
            }
        }
    }

    /// - Parameter size: the bytes that `body` writes.
    mutating func message(_ field: UInt32, size: Int, _ body: (inout ProtobufWriter) -> Void) {
        tag(field, .lengthDelimited)
        append(UInt64(size))
        body(&self)
    }

    /// Where the next `count` bytes go.
    private mutating func advance(_ count: Int) -> UnsafeMutableRawPointer {
        precondition(count <= room, "a message is larger than it was said to be")
        defer { next += count }
        room -= count
        return next
    }

    private mutating func tag(_ field: UInt32, _ type: ProtobufWireType) {
        append(UInt64(field << 3 | UInt32(type.rawValue)))
    }

    private mutating func append(_ value: UInt64) {
        let count = ProtobufWriter.byteCount(value)
        var place = advance(count)
        var value = value
        // Tags, lengths and statuses have one byte.
        while value >= 0x80 {
            place.storeBytes(of: UInt8(truncatingIfNeeded: value) | 0x80, as: UInt8.self)
            place += 1
            value >>= 7
        }
        place.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
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
