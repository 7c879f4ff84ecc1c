/// The settings that decide what a set of status entries means (contract, sections 2, 3 and 7). Durations are microseconds.
public struct PayloadRules: Sendable {
    public enum StageRecovery: String, Sendable, CaseIterable {
        /// A later entry of a failed stage reopens it.
        case latest
        /// The first failure of a stage is final.
        case sticky
    }

    public var vocabulary = StatusVocabulary()
    public var statusMessageMaxBytes = 4 << 10
    public var stageRecovery = StageRecovery.latest
    /// In lower case. Stages of these services are kept and do not count.
    public var ignoredServices: Set<Text> = []
    /// In lower case. A payload is completed only when each of them has a stage.
    public var requiredServices: Set<Text> = []
    public var completionSettle: Int64 = 60_000_000
    /// 0: payloads never stall.
    public var stallAfter: Int64 = 3_600_000_000
    /// By service, in lower case: what holds instead while a payload waits in that service.
    public var stallAfterByService: [Text: Int64] = [:]
    public var retention: Int64 = 7 * 86_400_000_000
    public var historyMaxEntries = 500
    public var historyMaxBytes = 512 << 10

    /// The contract's bound on the stages of one payload.
    public static let maxStages = 256

    public init() {}
}
