/// A point in time in microseconds since 1970-01-01T00:00:00Z, between the years 0 and 9999 when it came from a message.
public struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let microseconds: Int64

    public init(microseconds: Int64) { self.microseconds = microseconds }

    /// From a Kafka record's timestamp; what RFC 3339 cannot write is moved to the nearest that it can.
    public init(clampingMilliseconds milliseconds: Int64) {
        let (value, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000)
        let range = Timestamp.representable
        microseconds =
            overflow
            ? (milliseconds < 0 ? range.lowerBound : range.upperBound)
            : min(max(value, range.lowerBound), range.upperBound)
    }

    /// The microseconds that RFC 3339 can write: years 0000 to 9999.
    static let representable: ClosedRange<Int64> = -62_167_219_200_000_000...253_402_300_799_999_999

    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }

    /// Saturates instead of overflowing: a duration that never ends gives a time that never comes.
    public func advanced(byMicroseconds delta: Int64) -> Timestamp {
        let (value, overflow) = microseconds.addingReportingOverflow(delta)
        return Timestamp(microseconds: overflow ? (delta < 0 ? .min : .max) : value)
    }

    /// Whole milliseconds since `earlier`.
    func milliseconds(since earlier: Timestamp) -> Int64 { (microseconds - earlier.microseconds) / 1_000 }

    /// RFC 3339 in UTC with six fraction digits; what that cannot write, such as a timer that never comes, as the nearest
    /// that it can.
    public var description: String {
        let range = Timestamp.representable
        let microseconds = min(max(self.microseconds, range.lowerBound), range.upperBound)
        let (days, rest) = microseconds.flooredQuotientAndRemainder(by: 86_400_000_000)
        let date = CivilDate(daysSinceEpoch: days)
        let (seconds, fraction) = rest.quotientAndRemainder(dividingBy: 1_000_000)
        return String(unsafeUninitializedCapacity: 27) { buffer in
            var end = 0
            func write(_ value: Int64, digits: Int, then separator: UInt8?) {
                var value = value
                for index in stride(from: end + digits - 1, through: end, by: -1) {
                    buffer[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10)
                    value /= 10
                }
                end += digits
                if let separator {
                    buffer[end] = separator
                    end += 1
                }
            }
            write(date.year, digits: 4, then: UInt8(ascii: "-"))
            write(date.month, digits: 2, then: UInt8(ascii: "-"))
            write(date.day, digits: 2, then: UInt8(ascii: "T"))
            write(seconds / 3_600, digits: 2, then: UInt8(ascii: ":"))
            write(seconds / 60 % 60, digits: 2, then: UInt8(ascii: ":"))
            write(seconds % 60, digits: 2, then: UInt8(ascii: "."))
            write(fraction, digits: 6, then: UInt8(ascii: "Z"))
            return end
        }
    }
}

/// A day of the proleptic Gregorian calendar, after Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms".
struct CivilDate {
    var year: Int64
    var month: Int64
    var day: Int64

    init(daysSinceEpoch days: Int64) {
        let (era, dayOfEra) = (days + 719_468).flooredQuotientAndRemainder(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// Nil when there is no such day.
    init?(year: Int64, month: Int64, day: Int64) {
        guard (1...12).contains(month), day >= 1 else { return nil }
        self.year = year
        self.month = month
        self.day = day
        guard day <= 28 || CivilDate(daysSinceEpoch: daysSinceEpoch).month == month else { return nil }
        guard day <= 31 else { return nil }
    }

    var daysSinceEpoch: Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = shiftedYear.flooredQuotientAndRemainder(by: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}

extension Int64 {
    fileprivate func flooredQuotientAndRemainder(by divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
