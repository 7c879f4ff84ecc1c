/// Goes through the fields of a Protocol Buffers message (protobuf.dev/programming-guides/encoding). Never reads past the bytes it was
/// given, whatever they are.
struct ProtobufReader {
    struct Malformed: Error, CustomStringConvertible {
        var description = "its bytes make no sense"
    }

    enum Value {
        case varint(UInt64)
        case bytes(UnsafeRawBufferPointer)
        /// Of a type that our schema does not use.
        case other
    }

    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The next field, nil at the end.
    mutating func next() throws(Malformed) -> (field: UInt64, value: Value)? {
        if position == bytes.count { return nil }
        let tag = try varint()
        guard let type = ProtobufWireType(rawValue: UInt8(tag & 7)), tag >> 3 > 0 else { throw Malformed() }
        switch type {
        case .varint: return (tag >> 3, .varint(try varint()))
        case .lengthDelimited: return (tag >> 3, .bytes(try take(Int(clamping: try varint()))))
        case .fixed64: _ = try take(8)
        case .fixed32: _ = try take(4)
        }
        return (tag >> 3, .other)
    }

    private mutating func take(_ count: Int) throws(Malformed) -> UnsafeRawBufferPointer {
        guard count <= bytes.count - position else { throw Malformed() }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }

    private mutating func varint() throws(Malformed) -> UInt64 {
        // Tags, lengths and statuses have one byte.
        if position < bytes.count, bytes[position] < 0x80 {
            defer { position += 1 }
            return UInt64(bytes[position])
        }
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < bytes.count, shift < 64 {
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw Malformed()
    }
}

extension ProtobufReader.Value {
    func unsigned() throws(ProtobufReader.Malformed) -> UInt64 {
        guard case .varint(let value) = self else { throw ProtobufReader.Malformed() }
        return value
    }

    /// `sint64`.
    func zigzag() throws(ProtobufReader.Malformed) -> Int64 {
        let value = try unsigned()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    func message() throws(ProtobufReader.Malformed) -> ProtobufReader { ProtobufReader(try raw()) }

    /// Text that is not UTF-8 is malformed, as the specification has it.
    func string() throws(ProtobufReader.Malformed) -> String {
        let units = try raw().assumingMemoryBound(to: UInt8.self)
        do {
            return String(copying: try UTF8Span(validating: units.span))
        } catch {
            throw ProtobufReader.Malformed()
        }
    }

    private func raw() throws(ProtobufReader.Malformed) -> UnsafeRawBufferPointer {
        guard case .bytes(let bytes) = self else { throw ProtobufReader.Malformed() }
        return bytes
    }
}
