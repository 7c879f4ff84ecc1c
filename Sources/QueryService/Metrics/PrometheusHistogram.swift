import Metrics
import Synchronization

/// How values are spread over fixed buckets. A timer's values are seconds.
final class PrometheusHistogram: PrometheusSeries, RecorderHandler, TimerHandler {
    static let type = "histogram"

    /// From a lookup in memory to the longest wait that a client may ask for.
    static let secondBounds = [
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]
    /// For sizes and counts.
    static let countBounds: [Double] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000]

    private struct Values {
        /// How many values each bound is the least one for; what is greater than all bounds is only in `count`.
        var buckets: [UInt64]
        var count: UInt64 = 0
        var sum = 0.0
    }

    private let bounds: [Double]
    private let values: Mutex<Values>

    /// - Parameter bounds: the buckets' greatest values, ascending.
    init(bounds: [Double]) {
        self.bounds = bounds
        values = Mutex(Values(buckets: [UInt64](repeating: 0, count: bounds.count)))
    }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        let bucket = bounds.firstIndex { value <= $0 }
        values.withLock { values in
            if let bucket { values.buckets[bucket] += 1 }
            values.count += 1
            values.sum += value
        }
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func write(name: String, labels: String, to text: inout String) {
        let values = values.withLock { $0 }
        let before = labels.isEmpty ? "" : "\(labels),"
        func writeBucket(_ bound: Double, _ cumulative: UInt64) {
            text += PrometheusText.sample(
                "\(name)_bucket",
                "\(before)le=\"\(PrometheusText.number(bound))\"",
                "\(cumulative)"
            )
        }
        var cumulative: UInt64 = 0
        for (bound, count) in zip(bounds, values.buckets) {
            cumulative += count
            writeBucket(bound, cumulative)
        }
        writeBucket(.infinity, values.count)
        text += PrometheusText.sample("\(name)_sum", labels, PrometheusText.number(values.sum))
        text += PrometheusText.sample("\(name)_count", labels, "\(values.count)")
    }
}
