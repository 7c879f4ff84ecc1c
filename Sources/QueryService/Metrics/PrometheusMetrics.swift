import Metrics
import Synchronization

/// swift-metrics in the Prometheus text format, version 0.0.4.
///
/// A metric's name is its label with everything but letters, digits, `_` and `:` as `_`; counters end in `_total` and
/// timers, which are histograms, in `_seconds`. The same name with the same dimensions is the same metric. None is ever
/// removed, so dimensions must be bounded by whoever sets them. Thread-safe; making a metric costs a lookup, so that
/// hot paths make theirs once.
public final class PrometheusMetrics: MetricsFactory {
    private let registry = Mutex(PrometheusRegistry())

    public init() {}

    /// All metrics, as a Prometheus server scrapes them.
    public func exposition() -> String {
        // A copy of the registry: nobody who makes a metric waits for the text.
        registry.withLock { $0 }.exposition()
    }

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series("\(label)_total", dimensions) { PrometheusCounter() }
    }

    public func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series("\(label)_total", dimensions) { PrometheusCounter() }
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions) { PrometheusGauge() }
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate {
            return series(label, dimensions) { PrometheusHistogram(bounds: PrometheusHistogram.countBounds) }
        }
        return series(label, dimensions) { PrometheusGauge() }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series("\(label)_seconds", dimensions) { PrometheusHistogram(bounds: PrometheusHistogram.secondBounds) }
    }

    // Handles come and go while the series stays: a counter that vanished and started anew would look like a restart.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    private func series<Series: PrometheusSeries>(
        _ label: String,
        _ dimensions: [(String, String)],
        make: () -> Series
    ) -> Series {
        let name = PrometheusText.name(label)
        let labels = PrometheusText.labels(dimensions)
        return registry.withLock { $0.series(name, labels, make: make) }
    }
}
