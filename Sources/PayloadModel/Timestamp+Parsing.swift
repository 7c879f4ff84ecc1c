// The forms of `date` in a status message (contract, section 2).

extension Timestamp {
    /// A date as it is written into a question: any form that `date` may have in a status message, a number being its decimal digits
    /// without an exponent. Nil: anything else.
    public init?(text: String) {
        var text = text
        let date = text.withUTF8 { bytes -> Timestamp? in
            let bytes = UnsafeRawBufferPointer(bytes)
            return Timestamp(iso8601: bytes) ?? (Timestamp.isDecimal(bytes) ? Timestamp(epoch: bytes) : nil)
        }
        guard let date else { return nil }
        self = date
    }

    private static func isDecimal(_ text: UnsafeRawBufferPointer) -> Bool {
        let unsigned = text.first == UInt8(ascii: "-") ? text.dropFirst() : text[...]
        let parts = unsigned.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        return parts.allSatisfy { part in !part.isEmpty && part.allSatisfy { (48...57).contains($0) } }
    }

    /// RFC 3339 / ISO 8601 with `T` or a space, any number of fraction digits, and `Z`, `+hh:mm`, `+hhmm`, `+hh` (with a space
    /// before it or not) or no zone, which means UTC. Digits beyond the microsecond are cut. Nil: anything else.
    init?(iso8601 text: UnsafeRawBufferPointer) {
        var scanner = Scanner(bytes: text)
        guard let year = scanner.number(digits: 4), scanner.skip("-"),
            let month = scanner.number(digits: 2), scanner.skip("-"),
            let day = scanner.number(digits: 2),
            let date = CivilDate(year: year, month: month, day: day),
            scanner.skip("T") || scanner.skip("t") || scanner.skip(" "),
            let hour = scanner.number(digits: 2), hour <= 23, scanner.skip(":"),
            let minute = scanner.number(digits: 2), minute <= 59, scanner.skip(":"),
            let second = scanner.number(digits: 2), second <= 60
        else { return nil }
        var fraction: Int64 = 0
        if scanner.skip(".") || scanner.skip(",") {
            guard let digits = scanner.microseconds() else { return nil }
            fraction = digits
        }
        guard let offset = scanner.zoneOffsetSeconds(), scanner.isAtEnd else { return nil }
        let minutes = date.daysSinceEpoch * 1_440 + hour * 60 + minute - offset / 60
        // A leap second exists only at the end of a UTC day.
        if second == 60 && (minutes + 1) % 1_440 != 0 { return nil }
        let value = (minutes * 60 + second) * 1_000_000 + fraction
        guard Timestamp.representable.contains(value) else { return nil }
        microseconds = value
    }

    /// Epoch seconds, or milliseconds from 1e11 up, from the characters of a JSON number: a `Double` would lose microseconds.
    init?(epoch number: UnsafeRawBufferPointer) {
        var scanner = Scanner(bytes: number)
        let negative = scanner.skip("-")
        var digits: [UInt8] = []  // significant digits, without leading zeros
        var integerDigits = 0
        var seenPoint = false
        while let byte = scanner.peek, byte == UInt8(ascii: ".") || (48...57).contains(byte) {
            scanner.advance()
            if byte == UInt8(ascii: ".") {
                seenPoint = true
                continue
            }
            if digits.isEmpty && byte == UInt8(ascii: "0") {
                if seenPoint { integerDigits -= 1 }
                continue
            }
            // 25 digits are more than the range of a date and its microseconds can use.
            if digits.count < 25 { digits.append(byte - 48) }
            if !seenPoint { integerDigits += 1 }
        }
        if scanner.skip("e") || scanner.skip("E") {
            let down = scanner.skip("-")
            if !down { _ = scanner.skip("+") }
            var exponent = 0
            while let digit = scanner.number(digits: 1) { exponent = min(exponent * 10 + Int(digit), 10_000_000) }
            integerDigits += down ? -exponent : exponent
        }
        guard scanner.isAtEnd else { return nil }
        if digits.isEmpty {
            microseconds = 0
            return
        }
        let isMilliseconds = !negative && integerDigits >= 12
        let kept = integerDigits + (isMilliseconds ? 3 : 6)
        guard kept <= 18 else { return nil }
        var value: Int64 = 0
        for index in 0..<max(kept, 0) { value = value * 10 + (index < digits.count ? Int64(digits[index]) : 0) }
        if negative { value = -value }
        guard Timestamp.representable.contains(value) else { return nil }
        microseconds = value
    }
}

private struct Scanner {
    private let bytes: UnsafeRawBufferPointer
    private var index = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { index == bytes.count }
    var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

    @inline(__always)
    mutating func advance() { index += 1 }

    @inline(__always)
    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard let byte = peek, UInt32(byte) == character.value else { return false }
        index += 1
        return true
    }

    /// Exactly that many digits.
    @inline(__always)
    mutating func number(digits: Int) -> Int64? {
        guard index + digits <= bytes.count else { return nil }
        var value: Int64 = 0
        for offset in 0..<digits {
            let digit = bytes[index + offset] &- 48
            guard digit < 10 else { return nil }
            value = value &* 10 &+ Int64(digit)
        }
        index += digits
        return value
    }

    /// One or more fraction digits as microseconds, further digits cut.
    @inline(__always)
    mutating func microseconds() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while let digit = number(digits: 1) {
            if count < 6 { value = value * 10 + digit }
            count += 1
        }
        guard count > 0 else { return nil }
        for _ in min(count, 6)..<6 { value *= 10 }
        return value
    }

    mutating func zoneOffsetSeconds() -> Int64? {
        if isAtEnd { return 0 }
        _ = skip(" ")
        if skip("Z") || skip("z") { return 0 }
        let sign: Int64
        if skip("+") { sign = 1 } else if skip("-") { sign = -1 } else { return nil }
        guard let hours = number(digits: 2), hours <= 23 else { return nil }
        if isAtEnd { return sign * hours * 3_600 }
        _ = skip(":")
        guard let minutes = number(digits: 2), minutes <= 59 else { return nil }
        return sign * (hours * 3_600 + minutes * 60)
    }
}
