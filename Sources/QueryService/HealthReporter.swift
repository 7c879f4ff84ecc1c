/// What the probes `/healthz` and `/readyz` ask. Called from any thread; must not block.
public protocol HealthReporter: Sendable {
    var health: HealthReport { get }
    var readiness: ReadinessReport { get }
}

/// Whether the process makes progress. An orchestrator restarts it when it does not.
public struct HealthReport: Sendable {
    public var healthy: Bool
    /// What is wrong, a sentence each.
    public var problems: [String]

    public init(healthy: Bool, problems: [String]) {
        self.healthy = healthy
        self.problems = problems
    }
}

/// Whether all assigned partitions are restored and running.
public struct ReadinessReport: Sendable {
    public var ready: Bool
    /// What has to happen first, a sentence each.
    public var waitingFor: [String]

    public init(ready: Bool, waitingFor: [String]) {
        self.ready = ready
        self.waitingFor = waitingFor
    }
}
