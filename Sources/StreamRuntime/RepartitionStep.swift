/// Where a repartition stands: the process may be killed after each of these.
package enum RepartitionStep: String, CaseIterable, Sendable {
    /// What an interrupted run had left is gone, but for its marks.
    case deleted
    /// The topics are there and empty, without a mark.
    case created
    /// The group's commits have their marks.
    case marked
    /// One more record is on its way.
    case copying
    /// All records are written.
    case copied
}
