import Metrics
import PayloadModel

/// How many payloads this instance has, by outcome. Read from the counters that the stores keep, when somebody looks.
struct PayloadMetrics: Sendable {
    private let gauges: [(outcome: String, gauge: Gauge)]

    init(factory: PrometheusMetrics) {
        gauges = Outcome.allCases.map { outcome in
            (
                outcome.name,
                Gauge(label: "payload_tracker_payloads", dimensions: [("outcome", outcome.name)], factory: factory)
            )
        }
    }

    func record(_ part: SummaryPart) {
        let counts = part.outcomes
        for (outcome, gauge) in gauges { gauge.record(counts[outcome] ?? 0) }
    }
}
