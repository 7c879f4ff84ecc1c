import CoreMetrics
import Synchronization

enum PrometheusKind: String {
    case counter, gauge, histogram
}

/// One time series: a counter, a gauge, or a histogram with fixed buckets. Thread-safe.
final class PrometheusMetric: Sendable, CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, TimerHandler {
    private struct Values {
        var value = 0.0
        var buckets = [UInt64](repeating: 0, count: PrometheusMetric.bounds.count)
        var count: UInt64 = 0
    }

    /// Upper bounds of the buckets; for timers, seconds.
    private static let bounds = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

    private let kind: PrometheusKind
    private let values = Mutex(Values())

    init(_ kind: PrometheusKind) { self.kind = kind }

    func write(name: String, labels: String, to text: inout String) {
        let (value, buckets, count) = values.withLock { ($0.value, $0.buckets, $0.count) }
        let braced = labels.isEmpty ? "" : "{\(labels)}"
        guard kind == .histogram else {
            text += "\(name)\(braced) \(PrometheusMetric.format(value))\n"
            return
        }
        let prefix = labels.isEmpty ? "" : "\(labels),"
        var cumulative: UInt64 = 0
        for (bound, bucket) in zip(PrometheusMetric.bounds, buckets) {
            cumulative += bucket
            text += "\(name)_bucket{\(prefix)le=\"\(PrometheusMetric.format(bound))\"} \(cumulative)\n"
        }
        text += "\(name)_bucket{\(prefix)le=\"+Inf\"} \(count)\n"
        text += "\(name)_sum\(braced) \(PrometheusMetric.format(value))\n"
        text += "\(name)_count\(braced) \(count)\n"
    }

    private static func format(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }

    func increment(by amount: Int64) { values.withLock { $0.value += Double(amount) } }
    func increment(by amount: Double) { values.withLock { $0.value += amount } }
    func decrement(by amount: Double) { values.withLock { $0.value -= amount } }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { values.withLock { $0.value = value } }
    func reset() { values.withLock { $0 = Values() } }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        values.withLock { values in
            guard kind == .histogram else {
                values.value = value
                return
            }
            values.value += value
            values.count += 1
            if let bucket = PrometheusMetric.bounds.firstIndex(where: { value <= $0 }) { values.buckets[bucket] += 1 }
        }
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
}
