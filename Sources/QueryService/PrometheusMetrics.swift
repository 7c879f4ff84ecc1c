import CoreMetrics
import Synchronization

/// swift-metrics in the Prometheus text format (version 0.0.4). Thread-safe. Metrics with the same name and labels are the same metric,
/// and none is ever removed: labels must be bounded by whoever sets them.
public final class PrometheusMetrics: MetricsFactory {
    private struct Key: Hashable {
        var name: String
        var labels: String
    }

    private struct Registry {
        var kinds: [String: PrometheusKind] = [:]
        var metrics: [Key: PrometheusMetric] = [:]
    }

    private let registry = Mutex(Registry())

    public init() {}

    /// All metrics as Prometheus scrapes them.
    public func exposition() -> String {
        let (kinds, metrics) = registry.withLock { ($0.kinds, $0.metrics) }
        var text = ""
        for name in kinds.keys.sorted() {
            guard let kind = kinds[name] else { continue }
            text += "# TYPE \(name) \(kind.rawValue)\n"
            for key in metrics.keys.filter({ $0.name == name }).sorted(by: { $0.labels < $1.labels }) {
                metrics[key]?.write(name: name, labels: key.labels, to: &text)
            }
        }
        return text
    }

    /// A name that is already taken by another kind gets the kind appended, rather than a broken page.
    private func metric(_ label: String, _ dimensions: [(String, String)], _ kind: PrometheusKind, suffix: String = "") -> PrometheusMetric {
        let labels = dimensions.sorted { $0.0 < $1.0 }
            .map { "\(PrometheusMetrics.sanitize($0.0))=\"\(PrometheusMetrics.escape($0.1))\"" }.joined(separator: ",")
        return registry.withLock { registry in
            var name = PrometheusMetrics.sanitize(label) + suffix
            if let known = registry.kinds[name], known != kind { name += "_\(kind.rawValue)" }
            registry.kinds[name] = kind
            let key = Key(name: name, labels: labels)
            if let known = registry.metrics[key] { return known }
            let metric = PrometheusMetric(kind)
            registry.metrics[key] = metric
            return metric
        }
    }

    private static func sanitize(_ name: String) -> String {
        let characters = name.unicodeScalars.map { scalar -> Character in
            let isWord = scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
            return isWord ? Character(scalar) : "_"
        }
        let text = String(characters)
        return text.first?.isNumber ?? true ? "_\(text)" : text
    }

    private static func escape(_ value: String) -> String {
        var text = ""
        for character in value.unicodeScalars {
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(character)
            }
        }
        return text
    }

    // MARK: MetricsFactory

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        metric(label, dimensions, .counter, suffix: "_total")
    }

    public func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> any FloatingPointCounterHandler {
        metric(label, dimensions, .counter, suffix: "_total")
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        metric(label, dimensions, .gauge)
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        metric(label, dimensions, aggregate ? .histogram : .gauge)
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        metric(label, dimensions, .histogram, suffix: "_seconds")
    }

    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}
}
