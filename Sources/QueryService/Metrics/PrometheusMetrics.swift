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
    private let sources = Mutex<[@Sendable () async -> [MetricSample]]>([])
    private let timerBounds: [String: [Double]]

    /// - Parameter timerBounds: by a timer's label, the buckets' greatest values in seconds, ascending, for those whose values the
    ///   usual buckets do not suit.
    public init(timerBounds: [String: [Double]] = [:]) { self.timerBounds = timerBounds }

    /// From now on the samples are part of each scrape. Not to be called for what is counted already under the same name.
    ///
    /// - Parameter source: must not block; scrapes may overlap.
    public func collect(_ source: @escaping @Sendable () async -> [MetricSample]) {
        sources.withLock { $0.append(source) }
    }

    /// All metrics, as a Prometheus server scrapes them: what was counted, and what the sources say now.
    public func scrape() async -> String {
        var samples: [MetricSample] = []
        for source in sources.withLock({ $0 }) { samples += await source() }
        return exposition(adding: samples)
    }

    /// What was counted until now, and the samples.
    public func exposition(adding samples: [MetricSample] = []) -> String {
        // A copy of the registry: nobody who makes a metric waits for the text, and the samples are in no other one.
        var registry = registry.withLock { $0 }
        for sample in samples { registry.add(sample) }
        return registry.exposition()
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
        series("\(label)_seconds", dimensions) {
            PrometheusHistogram(bounds: timerBounds[label] ?? PrometheusHistogram.secondBounds)
        }
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
