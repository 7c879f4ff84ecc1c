/// Where a commit stands: everything may fail after each of these.
package enum CommitStep: String, CaseIterable, Sendable {
    /// Nothing of the commit is done; outcomes may be on their way.
    case begun
    /// All records are acknowledged, the changelog's too.
    case produced
    /// The offsets are part of the transaction. With at_least_once they are committed by themselves: `committed` follows.
    case offsetsSent
    /// Kafka has committed; no store has.
    case committed
    /// One of the thread's stores has written what was committed.
    case stored
}
