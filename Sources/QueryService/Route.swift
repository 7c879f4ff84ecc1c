import Hummingbird

/// What a path asks for. Ids are as they were sent, still percent-encoded.
enum Route {
    case page
    case payloads
    case outcomes
    case payload(id: Substring)
    case statuses(id: Substring)
    case summary
    case partitions
    case healthz
    case readyz
    case metrics
    /// What payload-tracker-go's clients ask for.
    case compatible(CompatibleRoute)
    case unknown

    /// The path is split before anything in it is decoded, so that an id may hold an encoded slash.
    init(path: String) {
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        let isCompatible = segments.starts(with: ["api", "v1"])
        let isPayload = segments.starts(with: ["v1", "payloads"])
        switch segments.count {
        case 1 where path == "/": self = .page
        case 1 where segments[0] == "healthz": self = .healthz
        case 1 where segments[0] == "readyz": self = .readyz
        case 1 where segments[0] == "metrics": self = .metrics
        case 2 where isPayload: self = .payloads
        case 2 where segments.elementsEqual(["v1", "summary"]): self = .summary
        case 2 where segments.elementsEqual(["v1", "partitions"]): self = .partitions
        case 3 where segments.elementsEqual(["v1", "outcomes", "stream"]): self = .outcomes
        case 3 where isPayload: self = .payload(id: segments[2])
        case 4 where isPayload && segments[3] == "statuses": self = .statuses(id: segments[2])
        case 3 where isCompatible && segments[2] == "payloads": self = .compatible(.payloads)
        case 3 where isCompatible && segments[2] == "statuses": self = .compatible(.statuses)
        case 4 where isCompatible && segments[2] == "payloads": self = .compatible(.payload(id: segments[3]))
        default: self = .unknown
        }
    }

    /// Whether it may be answered on the event loop of its connection, where it holds up others: it looks at one payload at most.
    var isQuick: Bool {
        switch self {
        case .page, .payload, .statuses, .healthz, .readyz: true
        default: false
        }
    }

    /// Whether it looks at many payloads.
    var isCostly: Bool {
        switch self {
        case .payloads, .summary, .partitions, .compatible: true
        default: false
        }
    }

    /// Whether requests for it count towards a client's rate. Probes and Prometheus have a rhythm of their own.
    var isLimited: Bool {
        switch self {
        case .healthz, .readyz, .metrics: false
        default: true
        }
    }

    /// What a token has to be good for; nil: anyone may ask. Probes have no token, and the page is the same for all: what it shows it asks for.
    var scope: AccessGrant.Scope? {
        switch self {
        case .page, .healthz, .readyz: nil
        case .metrics: .metrics
        default: .read
        }
    }

    /// How it tells a problem.
    func response(to problem: Problem) -> Response {
        if case .compatible = self { Response(compatible: problem) } else { Response(problem) }
    }

    /// As the metrics call it: never what a client made up.
    var name: String {
        switch self {
        case .page: "page"
        case .payloads: "payloads"
        case .outcomes: "outcomes"
        case .payload: "payload"
        case .statuses: "statuses"
        case .summary: "summary"
        case .partitions: "partitions"
        case .healthz: "healthz"
        case .readyz: "readyz"
        case .metrics: "metrics"
        case .compatible(.payloads): "compatible-payloads"
        case .compatible(.payload): "compatible-payload"
        case .compatible(.statuses): "compatible-statuses"
        case .unknown: "unknown"
        }
    }
}
