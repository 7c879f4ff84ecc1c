import Foundation

/// A message's date as producers write it: each library has a form of its own.
struct TrafficDate {
    /// Since 1970.
    let microseconds: Int64

    enum Form: CaseIterable {
        case nanosecondsWithZ, withOffset, naive, naiveWithSpace
    }

    func text(_ form: Form) -> String {
        switch form {
        case .nanosecondsWithZ: "\(day)T\(time)000Z"
        case .withOffset: "\(day)T\(time)+00:00"
        case .naive: "\(day)T\(time)"
        case .naiveWithSpace: "\(day) \(time)"
        }
    }

    private var day: String {
        "\(pad(parts.tm_year + 1900, 4))-\(pad(parts.tm_mon + 1, 2))-\(pad(parts.tm_mday, 2))"
    }

    private var time: String {
        let fraction = pad(Int32(microseconds % 1_000_000), 6)
        return "\(pad(parts.tm_hour, 2)):\(pad(parts.tm_min, 2)):\(pad(parts.tm_sec, 2)).\(fraction)"
    }

    private var parts: tm {
        var seconds = time_t(microseconds / 1_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        return parts
    }

    private func pad(_ number: Int32, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
