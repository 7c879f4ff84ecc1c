import Foundation
import PayloadModel

/// Where a page ends, as clients hand it back: a position in the list and nothing else, so that it stays right while payloads change,
/// partitions move and other instances answer. It belongs to the filters it was made with.
public enum PageCursor {
    /// Of what is below: version, `updated_at` (microseconds, big-endian), the id, a check of these and the filter.
    private static let version: UInt8 = 1
    private static let headBytes = 1 + 8
    private static let checkBytes = 8

    /// Characters that need no percent-encoding (base64url).
    public static func encode(_ position: ListPosition, _ filter: PayloadFilter) -> String {
        var bytes: [UInt8] = [version]
        withUnsafeBytes(of: position.updatedAt.microseconds.bigEndian) { bytes.append(contentsOf: $0) }
        position.id.withUTF8 { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: check(bytes, filter).bigEndian) { bytes.append(contentsOf: $0) }
        return Data(bytes).base64URLEncoded
    }

    /// Nil: not a cursor, a damaged one, or one of other filters.
    public static func decode(_ text: String, _ filter: PayloadFilter) -> ListPosition? {
        guard let data = Data(base64URL: text), data.count > headBytes + checkBytes else { return nil }
        let bytes = Array(data.dropLast(checkBytes))
        let expected = withUnsafeBytes(of: check(bytes, filter).bigEndian) { Array($0) }
        guard bytes[0] == version, Array(data.suffix(checkBytes)) == expected,
            let id = try? PayloadID(normalizing: String(decoding: bytes.dropFirst(headBytes), as: UTF8.self))
        else { return nil }
        let microseconds = bytes[1..<headBytes].reduce(0) { $0 << 8 | Int64($1) }
        return ListPosition(updatedAt: Timestamp(microseconds: microseconds), id: id)
    }

    /// Tells mistakes apart from cursors; a made-up position does no harm.
    private static func check(_ bytes: [UInt8], _ filter: PayloadFilter) -> UInt64 {
        var hash = FNV1a()
        let values = [
            filter.inventoryID?.string, filter.systemID?.string, filter.account?.string, filter.orgID?.string,
            filter.status?.name, filter.outcome?.name, filter.service?.string, filter.failedService?.string,
            filter.since.map { "\($0.microseconds)" }, filter.until.map { "\($0.microseconds)" },
        ]
        for value in values { hash.add(value) }
        for byte in bytes { hash.add(byte) }
        return hash.value
    }
}
