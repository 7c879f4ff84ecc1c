import Crypto
import Foundation
import HTTPTypes

/// What a client shows to be let in (RFC 6750). Its text is in no description of it.
public struct BearerToken: Sendable, Hashable {
    public let text: String

    /// Nil for a text that is short enough to be guessed, or that no `Authorization` header can carry.
    public init?(_ text: String) {
        guard BearerToken.lengths.contains(text.utf8.count), text.utf8.allSatisfy(BearerToken.allows) else {
            return nil
        }
        self.text = text
    }

    /// Nil for a header without one.
    init?(_ headers: HTTPFields) {
        guard let words = headers[.authorization]?.split(separator: " "), words.count == 2,
            words[0].lowercased() == "bearer"
        else { return nil }
        self.init(String(words[1]))
    }

    /// What is kept of it.
    var digest: SHA256.Digest { SHA256.hash(data: Data(text.utf8)) }

    /// What it has to be, as a phrase.
    public static let allowed = "\(lengths.lowerBound) to \(lengths.upperBound) of letters, digits and -._~+/="

    /// Signed ones may have a kilobyte or two; a header has 16.
    private static let lengths = 16...8192

    /// RFC 6750, section 2.1, `b64token`.
    private static func allows(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~+/=".utf8.contains(byte)
        }
    }
}

extension BearerToken: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "(hidden)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: [] as [Mirror.Child]) }
}
