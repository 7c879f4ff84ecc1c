/// What a path asks for. Ids are as they were sent, still percent-encoded.
enum Route {
    case payload(id: Substring)
    case statuses(id: Substring)
    case healthz
    case readyz
    case metrics
    case unknown

    /// The path is split before anything in it is decoded, so that an id may hold an encoded slash.
    init(path: String) {
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        let isPayload = segments.starts(with: ["v1", "payloads"])
        switch segments.count {
        case 1 where segments[0] == "healthz": self = .healthz
        case 1 where segments[0] == "readyz": self = .readyz
        case 1 where segments[0] == "metrics": self = .metrics
        case 3 where isPayload: self = .payload(id: segments[2])
        case 4 where isPayload && segments[3] == "statuses": self = .statuses(id: segments[2])
        default: self = .unknown
        }
    }

    /// As the metrics call it: never what a client made up.
    var name: String {
        switch self {
        case .payload: "payload"
        case .statuses: "statuses"
        case .healthz: "healthz"
        case .readyz: "readyz"
        case .metrics: "metrics"
        case .unknown: "unknown"
        }
    }
}
