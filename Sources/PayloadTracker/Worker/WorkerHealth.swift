import QueryService
import StreamRuntime

/// Health and readiness of the worker for the probes.
struct WorkerHealth: HealthReporter {
    let application: StreamApplication

    var health: HealthReport {
        let problems = application.health.problems
        return HealthReport(healthy: problems.isEmpty, problems: problems)
    }

    var readiness: ReadinessReport {
        var waitingFor = application.health.problems + application.health.waitingFor
        // After the threads: one that has joined had shown its tasks before.
        let waiting = application.tasks.waiting.map(\.description).sorted()
        if !waiting.isEmpty { waitingFor.append("not running yet: \(waiting.joined(separator: ", "))") }
        return ReadinessReport(ready: waitingFor.isEmpty, waitingFor: waitingFor)
    }
}
