/// What this program is: the chart's `appVersion`, too.
enum Version {
    static let current = "0.1.0"
}
