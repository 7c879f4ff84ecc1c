import Foundation
import PayloadModel
import QueryService

/// How a setting's text becomes a value, how a value is written, and what to tell someone whose text is refused.
struct SettingType<Value: Sendable>: Sendable {
    /// The values it takes, as a phrase: "a whole number from 0 to 65535".
    let allowed: String
    /// Nil refuses the text.
    let parse: @Sendable (String) -> Value?
    let format: @Sendable (Value) -> String
}

extension SettingType where Value == String {
    static var text: Self {
        SettingType(allowed: "a text that is not empty", parse: { $0.isEmpty ? nil : $0 }, format: { $0 })
    }

    /// As OAuth 2.0 has it for a scope (RFC 6749, section 3.3).
    static var scope: Self {
        SettingType(
            allowed: "visible ASCII characters, without spaces, quotes and backslashes",
            parse: { text in
                let isLegal = text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C }
                return isLegal && !text.isEmpty ? text : nil
            },
            format: { $0 }
        )
    }

    /// A name that Kafka takes for a topic, at most `limit` characters long.
    static func topicName(limit: Int = 249) -> Self {
        SettingType(
            allowed: "1 to \(limit) letters, digits, dots, dashes and underscores",
            parse: { text in
                let isLegal = text.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                        true
                    default: false
                    }
                }
                return isLegal && (1...limit).contains(text.utf8.count) && text != "." && text != ".." ? text : nil
            },
            format: { $0 }
        )
    }
}

extension SettingType where Value == Int {
    static func integer(_ range: ClosedRange<Int>) -> Self {
        SettingType(
            allowed: "a whole number from \(range.lowerBound) to \(range.upperBound)",
            parse: { text in Int(text).flatMap { range.contains($0) ? $0 : nil } },
            format: { String($0) }
        )
    }

    /// A number of bytes; see `ByteCount` for how it is written.
    static func bytes(_ range: ClosedRange<Int>) -> Self {
        SettingType(
            allowed: "bytes such as 4096, 512KiB, 64MiB or 2GiB, from \(ByteCount.text(range.lowerBound))"
                + " to \(ByteCount.text(range.upperBound))",
            parse: { text in ByteCount.parse(text).flatMap { range.contains($0) ? $0 : nil } },
            format: { ByteCount.text($0) }
        )
    }
}

extension SettingType where Value == Bool {
    static var boolean: Self {
        SettingType(allowed: "true or false", parse: { Bool($0.lowercased()) }, format: { String($0) })
    }
}

extension SettingType where Value == Duration {
    static func duration(_ range: ClosedRange<Duration>) -> Self {
        SettingType(
            allowed: "a duration such as 500ms, 60s, 5m, 1h or 7d, from \(DurationText.text(range.lowerBound))"
                + " to \(DurationText.text(range.upperBound))",
            parse: { text in DurationText.parse(text).flatMap { range.contains($0) ? $0 : nil } },
            format: { DurationText.text($0) }
        )
    }
}

extension SettingType where Value == [String] {
    /// Service names with commas between, trimmed and lower-cased as the names in status messages are.
    static var services: Self {
        SettingType(
            allowed: "service names with commas between",
            parse: { text in CommaList.parse(text).map { $0.lowercased() } },
            format: { $0.joined(separator: ",") }
        )
    }
}

extension SettingType where Value == [String: Status] {
    /// `word=status,…`: words of producers and what they mean.
    static var aliases: Self {
        let statuses = Status.allCases.map(\.name)
        return SettingType(
            allowed: "word=status with commas between; a status is one of \(statuses.joined(separator: ", ")),"
                + " and a word is given once and is none of these",
            parse: { text in
                var aliases: Value = [:]
                for pair in CommaList.parse(text) {
                    let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                        .map { $0.trimmingCharacters(in: .whitespaces).lowercased() }
                    guard sides.count == 2, !sides[0].isEmpty, !statuses.contains(sides[0]),
                        let status = Status(name: sides[1]),
                        aliases.updateValue(status, forKey: sides[0]) == nil
                    else { return nil }
                }
                return aliases
            },
            format: { aliases in
                aliases.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.name)" }.joined(separator: ",")
            }
        )
    }
}

extension SettingType where Value: RawRepresentable<String> & CaseIterable {
    static var choice: Self {
        SettingType(
            allowed: Value.allCases.map(\.rawValue).joined(separator: " or "),
            parse: { Value(rawValue: $0.lowercased()) },
            format: { $0.rawValue }
        )
    }
}

extension SettingType where Value == URL {
    /// The root of an HTTP server: other instances append their own paths to it.
    static var serverURL: Self {
        SettingType(
            allowed: "an http or https URL without a path, such as http://10.0.0.5:8080",
            parse: { text in
                guard let url = URL(string: text), ["http", "https"].contains(url.scheme?.lowercased()),
                    url.host()?.isEmpty == false, ["", "/"].contains(url.path()), url.query() == nil,
                    url.fragment() == nil
                else { return nil }
                return url
            },
            format: { $0.absoluteString }
        )
    }

    /// What is fetched decides who is let in, so nobody on the way may change it.
    static var httpsURL: Self {
        SettingType(
            allowed: "an https URL",
            parse: { text in
                guard let url = URL(string: text), url.scheme?.lowercased() == "https", url.host()?.isEmpty == false
                else { return nil }
                return url
            },
            format: { $0.absoluteString }
        )
    }
}

extension SettingType where Value == PeerSecret {
    /// Its value is not written anywhere: it has no default.
    static var peerSecret: Self {
        let lengths = PeerSecret.lengths
        return SettingType(
            allowed: "\(lengths.lowerBound) to \(lengths.upperBound) visible ASCII characters",
            parse: { PeerSecret($0) },
            format: { $0.description }
        )
    }
}

extension SettingType where Value == BearerToken {
    /// Its value is not written anywhere: it has no default.
    static var bearerToken: Self {
        SettingType(allowed: BearerToken.allowed, parse: { BearerToken($0) }, format: { $0.description })
    }
}

extension SettingType {
    /// A setting that may be left out; an empty text leaves it out too, so that a flag can undo what a file says.
    static func optional<Wrapped: Sendable>(_ type: SettingType<Wrapped>) -> Self where Value == Wrapped? {
        SettingType(
            allowed: "\(type.allowed), or empty",
            parse: { text in text.isEmpty ? .some(nil) : type.parse(text).map { .some($0) } },
            format: { $0.map(type.format) ?? "" }
        )
    }
}

/// Lists in one text: elements with commas between, trimmed, empty ones left out.
enum CommaList {
    static func parse(_ text: String) -> [String] {
        text.split(separator: ",")
            .map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty }
    }
}
