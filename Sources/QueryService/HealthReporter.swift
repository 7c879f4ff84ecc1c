/// What the probes `/healthz` and `/readyz` ask. Called from any thread; must not block.
public protocol HealthReporter: Sendable {
    var health: HealthReport { get }
    var readiness: ReadinessReport { get }
}

/// Whether the process makes progress. An orchestrator restarts it when it does not.
public struct HealthReport: Sendable, Encodable {
    public var healthy: Bool
    /// What is wrong, a sentence each.
    public var problems: [String]

    public init(healthy: Bool, problems: [String]) {
        self.healthy = healthy
        self.problems = problems
    }

    private enum CodingKeys: String, CodingKey {
        case status, problems
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(healthy ? "ok" : "failing", forKey: .status)
        try container.encode(problems, forKey: .problems)
    }
}

/// Whether all assigned partitions are restored and running.
public struct ReadinessReport: Sendable, Encodable {
    public var ready: Bool
    /// What has to happen first, a sentence each.
    public var waitingFor: [String]

    public init(ready: Bool, waitingFor: [String]) {
        self.ready = ready
        self.waitingFor = waitingFor
    }

    private enum CodingKeys: String, CodingKey {
        case status
        case waitingFor = "waiting_for"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(ready ? "ready" : "not-ready", forKey: .status)
        try container.encode(waitingFor, forKey: .waitingFor)
    }
}
