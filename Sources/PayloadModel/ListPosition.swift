/// A place in the order of lists: newest first by `updated_at`, and of equal ones by the bytes of the id, ascending. It depends on
/// nothing but the payload, so that lists of several partitions or instances can be merged.
public struct ListPosition: Hashable, Comparable, Sendable {
    public let updatedAt: Timestamp
    public let id: PayloadID

    public init(updatedAt: Timestamp, id: PayloadID) {
        self.updatedAt = updatedAt
        self.id = id
    }

    /// Whether `a` comes before `b` in a list.
    public static func < (a: ListPosition, b: ListPosition) -> Bool {
        if a.updatedAt != b.updatedAt { return a.updatedAt > b.updatedAt }
        return a.id.withUTF8 { a in b.id.withUTF8 { b in a.lexicographicallyPrecedes(b) } }
    }
}
