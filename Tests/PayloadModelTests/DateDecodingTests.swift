import Foundation
import PayloadModel
import Testing
import SeededRandom

/// Section 2, `date`: a date that is misread puts an entry in the wrong place; one that is refused loses a message.
@Suite struct DateDecodingTests {
    private let decode = Decoding()

    @Test(
        "Every form that producers send is read, to the microsecond",
        arguments: [
            ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05.000000Z"),
            ("2024-01-02 03:04:05Z", "2024-01-02T03:04:05.000000Z"),
            ("2024-01-02T03:04:05", "2024-01-02T03:04:05.000000Z"),
            ("2024-01-02 03:04:05.123456", "2024-01-02T03:04:05.123456Z"),
            ("2024-01-02T03:04:05.1", "2024-01-02T03:04:05.100000Z"),
            ("2024-01-02T03:04:05.000001Z", "2024-01-02T03:04:05.000001Z"),
            ("2024-01-02T03:04:05.123456789Z", "2024-01-02T03:04:05.123456Z"),
            ("2024-01-02T03:04:05.9999999999999999999999999Z", "2024-01-02T03:04:05.999999Z"),
            ("2024-01-02T03:04:05.123456+00:00", "2024-01-02T03:04:05.123456Z"),
            ("2024-01-02T03:04:05+0000", "2024-01-02T03:04:05.000000Z"),
            ("2024-01-02 03:04:05 +00:00", "2024-01-02T03:04:05.000000Z"),
            ("2024-01-02T03:04:05-00:00", "2024-01-02T03:04:05.000000Z"),
            ("2024-01-02T03:04:05+05:30", "2024-01-01T21:34:05.000000Z"),
            ("2024-01-02T03:04:05-0800", "2024-01-02T11:04:05.000000Z"),
            ("2024-12-31T23:59:59.999999-00:01", "2025-01-01T00:00:59.999999Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"),
            ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000000Z"),
            ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
            ("2024-01-02t03:04:05z", "2024-01-02T03:04:05.000000Z"),
        ]
    )
    func goodDates(sent: String, read: String) throws {
        #expect(try decode(with: ["date": "\"\(sent)\""]).entry.date.description == read)
    }

    @Test(
        "What is no date is a bad date",
        arguments: [
            "yesterday", "None", "null", " ", "2024", "2024-01-02", "2024-01-02T", "2024-01-02T03:04",
            "2024-1-2T03:04:05Z",
            "2024-01-02T3:04:05Z", "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z", "2024-01-00T00:00:00Z",
            "2024-01-32T00:00:00Z",
            "2024-04-31T00:00:00Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2024-01-02T24:00:00Z",
            "2024-01-02T03:60:00Z",
            "2024-01-02T03:04:61Z", "2024-01-02T03:04:60Z", "2024-01-02T03:04:05.Z", "2024-01-02T03:04:05.",
            "2024-01-02T03:04:05 ",
            " 2024-01-02T03:04:05", "2024-01-02T03:04:05ZZ", "2024-01-02T03:04:05Zx", "2024-01-02T03:04:05+",
            "2024-01-02T03:04:05+1",
            "2024-01-02T03:04:05+24:00", "2024-01-02T03:04:05+00:60", "2024-01-02T03:04:05+00:0",
            "2024-01-02T03:04:05+00:000",
            "2024-01-02T03:04:05  +00:00", "2024-01-02  03:04:05", "2024-01-02_03:04:05", "2024/01/02T03:04:05",
            "20240102T030405Z",
            "12024-01-02T03:04:05Z", "-2024-01-02T03:04:05Z", "+2024-01-02T03:04:05Z", "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01", "2024-01-02T03:04:05 UTC", "2024-01-02T03:04:05+00:00Z", "1704164645",
            "2024-01-02T03:04:05.1.2Z",
            "2024-01-02T03:04:0\u{661}Z", "Tue, 02 Jan 2024 03:04:05 GMT", "2024-01-02T03:04:05\\u0000",
            "-001-01-01T00:00:00Z",
        ]
    )
    func badDates(sent: String) {
        #expect(decode.reason(with: ["date": "\"\(sent)\""]) == .badDate)
    }

    @Test("No date, null or an empty one: the record's timestamp")
    func recordTimestamp() throws {
        for json in [nil, "null", "\"\""] as [String?] {
            #expect(try decode(with: ["date": json]).entry.date.microseconds == Decoding.recordTimestamp * 1_000)
        }
    }

    @Test("A record's timestamp that RFC 3339 cannot write is moved to the nearest that it can")
    func clampedRecordTimestamp() {
        #expect(Timestamp(clampingMilliseconds: .max).description == "9999-12-31T23:59:59.999999Z")
        #expect(Timestamp(clampingMilliseconds: .min).description == "0000-01-01T00:00:00.000000Z")
        #expect(Timestamp(clampingMilliseconds: 253_402_300_800_000).description == "9999-12-31T23:59:59.999999Z")
        #expect(Timestamp(clampingMilliseconds: -1).description == "1969-12-31T23:59:59.999000Z")
    }

    @Test(
        "Epoch numbers are seconds, from 1e11 up milliseconds, exact to the microsecond and cut beyond it",
        arguments: [
            ("0", Int64(0)), ("-0", 0), ("0.0", 0), ("0e5", 0), ("1", 1_000_000), ("-1", -1_000_000),
            ("1704164645", 1_704_164_645_000_000),
            ("1704164645.123456", 1_704_164_645_123_456), ("1704164645.1234569", 1_704_164_645_123_456),
            ("1704164645.000001", 1_704_164_645_000_001), ("1704164645123", 1_704_164_645_123_000),
            ("1704164645123.4567", 1_704_164_645_123_456), ("1.704164645e9", 1_704_164_645_000_000),
            ("1.704164645123456E+9", 1_704_164_645_123_456),
            ("17041646451234560e-7", 1_704_164_645_123_456), ("0.000001", 1), ("0.0000019", 1), ("0.0000009", 0),
            ("1e-6", 1), ("1e-7", 0),
            ("-1.5", -1_500_000), ("-0.0000019", -1), ("99999999999", 99_999_999_999_000_000),
            ("99999999999.999999", 99_999_999_999_999_999),
            ("100000000000", 100_000_000_000_000), ("1e11", 100_000_000_000_000),
            ("100000000000.5", 100_000_000_000_500),
            ("253402300799999.999", 253_402_300_799_999_999), ("-62167219200", -62_167_219_200_000_000),
            ("1e-99999999999999999999", 0),
            ("0e99999999999999999999", 0),
            ("1704164645.12345600000000000000000000000000000000000001", 1_704_164_645_123_456),
            ("0.00000000000000000000000000000000000001e47", 1_000_000_000_000_000),
        ]
    )
    func epochNumbers(sent: String, microseconds: Int64) throws {
        #expect(try decode.date(sent) == microseconds)
    }

    @Test(
        "An epoch number that no date has, or another type, is a bad date",
        arguments: [
            "253402300800000", "1e15", "1e18", "1e400", "9223372036854775807", "18446744073709551616", "-62167219201",
            "-1e11", "-1e400",
            "123456789012345678901234567890", "true", "false", "[]", "{}", "1e99999999999999999999",
        ]
    )
    func badNumbers(sent: String) {
        #expect(decode.reason(with: ["date": sent]) == .badDate)
    }

    @Test("A date in any zone is the instant that the platform's calendar says", arguments: UInt64(0)..<20)
    func calendar(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for _ in 0..<300 {
            let microseconds = Int64.random(in: -62_167_219_200_000_000...253_402_300_799_999_999, using: &random)
            let text = ReferenceModel.rfc3339(microseconds)
            #expect(Timestamp(microseconds: microseconds).description == text)
            #expect(try decode.date("\"\(text)\"") == microseconds, "seed \(seed)")
            // The same wall-clock text with an offset is that much earlier, where such a date is.
            let offset = Int64(random.below(24 * 60))
            let zone = String(format: "%02d%@%02d", Int(offset / 60), random.oneIn(2) ? ":" : "", Int(offset % 60))
            let earlier = microseconds - offset * 60_000_000
            let expected = earlier >= -62_167_219_200_000_000 ? earlier : nil
            #expect(
                try decode.date("\"\(text.dropLast())\(random.oneIn(2) ? " " : "")+\(zone)\"") == expected,
                "seed \(seed)"
            )
        }
    }

    @Test("Every day from 1999 to 2030 is the day that the platform's calendar says, and no other day exists")
    func everyDay() throws {
        var day: Int64 = 10_592
        for year in 1_999...2_030 {
            for month in 1...12 {
                for dayOfMonth in 1...31 {
                    let text = String(format: "%04d-%02d-%02d", year, month, dayOfMonth)
                    let read = try decode.date("\"\(text)T00:00:00Z\"")
                    if ReferenceModel.rfc3339(day * 86_400_000_000).hasPrefix(text) {
                        #expect(read == day * 86_400_000_000)
                        day += 1
                    } else {
                        #expect(read == nil)
                    }
                }
            }
        }
    }

    @Test("A timestamp that no message can have is still described, not trapped on")
    func descriptionOfExtremes() {
        #expect(Timestamp(microseconds: .max).description == "9999-12-31T23:59:59.999999Z")
        #expect(Timestamp(microseconds: .min).description == "0000-01-01T00:00:00.000000Z")
        #expect(Timestamp(microseconds: 0).advanced(byMicroseconds: .max).microseconds == .max)
        #expect(Timestamp(microseconds: -2).advanced(byMicroseconds: .min).microseconds == .min)
    }
}
