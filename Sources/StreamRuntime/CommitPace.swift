/// When a stream thread commits: soon when there is nothing left to read, because then a commit costs nobody anything and outcomes are
/// seen at once; rarely under backlog, because a commit costs the same however much it holds.
struct CommitPace {
    /// Of what all processors of a thread hold back; a commit comes before its time where it is more.
    static let maxUncommittedBytes = 64 << 20
    /// Between two commits, even when idle.
    private static let shortest = 0.02
    /// Commits may take up one part in so many of an idle thread's time.
    private static let costShare = 5.0

    /// Seconds between two commits at most.
    private let longest: Double
    private var lastCommit = monotonicSeconds()
    private var lastDuration = 0.0
    /// The consumer had nothing when it was last asked, and nothing is known to come.
    var isIdle = false

    init(longest: Double) { self.longest = longest }

    /// Until the next commit; 0 or less: it is due.
    func secondsLeft(hasUncommitted: Bool) -> Double {
        let isSoon = isIdle && hasUncommitted
        let interval = isSoon ? min(longest, max(CommitPace.shortest, lastDuration * CommitPace.costShare)) : longest
        return lastCommit + interval - monotonicSeconds()
    }

    mutating func committed(took seconds: Double) {
        lastCommit = monotonicSeconds()
        lastDuration = seconds
    }
}
