/// A setting as one of the sources gives it.
struct GivenSetting: Sendable, Equatable {
    let key: String
    let value: String
    /// Where it was given, as people would say it: "tracker.yaml, line 3", "the flag --http-port".
    let origin: String
}
