import Metrics
import Synchronization

/// Counts and times requests by route and status code, which are both few whatever clients send.
final class RequestMetrics: Sendable {
    private struct Key: Hashable {
        var route: String
        var code: Int
    }

    private let factory: PrometheusMetrics
    private let timers = Mutex<[Key: Timer]>([:])

    init(factory: PrometheusMetrics) { self.factory = factory }

    func record(_ route: Route, code: Int, duration: Duration) {
        timer(Key(route: route.name, code: code)).record(duration: duration)
    }

    private func timer(_ key: Key) -> Timer {
        timers.withLock { timers in
            if let known = timers[key] { return known }
            let timer = Timer(
                label: "payload_tracker_http_request_duration",
                dimensions: [("route", key.route), ("code", "\(key.code)")],
                factory: factory
            )
            timers[key] = timer
            return timer
        }
    }
}
