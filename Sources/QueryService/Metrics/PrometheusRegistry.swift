/// One time series of a metric: its values under one set of labels.
protocol PrometheusSeries: AnyObject, Sendable {
    /// As a `# TYPE` line says it.
    static var type: String { get }

    /// Appends the series' lines. `labels` is what stands between the braces, and may be empty.
    func write(name: String, labels: String, to text: inout String)
}

/// All time series, by metric and labels.
struct PrometheusRegistry {
    private struct Metric {
        let type: String
        var series: [String: any PrometheusSeries] = [:]
    }

    private var metrics: [String: Metric] = [:]

    /// The series of that name and labels; a new one when there is none yet.
    mutating func series<Series: PrometheusSeries>(_ name: String, _ labels: String, make: () -> Series) -> Series {
        var name = name
        // Two types under one name are a page that Prometheus refuses as a whole.
        while let metric = metrics[name], metric.type != Series.type { name += "_\(Series.type)" }
        if let known = metrics[name]?.series[labels] as? Series { return known }
        let made = make()
        metrics[name, default: Metric(type: Series.type)].series[labels] = made
        return made
    }

    mutating func add(_ sample: MetricSample) {
        let labels = PrometheusText.labels(sample.dimensions)
        switch sample.kind {
        case .gauge: series(PrometheusText.name(sample.label), labels) { PrometheusGauge() }.set(sample.value)
        case .counter:
            series(PrometheusText.name("\(sample.label)_total"), labels) { PrometheusCounter() }
                .increment(by: sample.value)
        }
    }

    func exposition() -> String {
        var text = ""
        for (name, metric) in metrics.sorted(by: { $0.key < $1.key }) {
            text += "# TYPE \(name) \(metric.type)\n"
            for (labels, series) in metric.series.sorted(by: { $0.key < $1.key }) {
                series.write(name: name, labels: labels, to: &text)
            }
        }
        return text
    }
}
