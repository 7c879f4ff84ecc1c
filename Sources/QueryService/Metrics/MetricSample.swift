/// A value that is read when Prometheus asks, instead of being kept: what is not read any more vanishes from the page.
public struct MetricSample: Sendable {
    enum Kind: Sendable {
        case gauge, counter
    }

    let kind: Kind
    /// A counter's ends in `_total` on the page.
    let label: String
    let dimensions: [(String, String)]
    let value: Double

    public init(gauge label: String, _ dimensions: [(String, String)] = [], value: Double) {
        self.init(kind: .gauge, label: label, dimensions: dimensions, value: value)
    }

    /// - Parameter value: never less than at the last reading.
    public init(counter label: String, _ dimensions: [(String, String)] = [], value: Double) {
        self.init(kind: .counter, label: label, dimensions: dimensions, value: value)
    }

    private init(kind: Kind, label: String, dimensions: [(String, String)], value: Double) {
        self.kind = kind
        self.label = label
        self.dimensions = dimensions
        self.value = value
    }
}
