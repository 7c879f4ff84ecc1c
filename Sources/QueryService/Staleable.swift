import PayloadModel

/// What may come from a standby's store.
protocol Staleable: Sendable {
    /// Records that the store lacked, at most; 0 for the store of a running task.
    var stalenessRecords: Int64 { get }

    /// One object, its members in the order of their names.
    ///
    /// - Parameter showsStaleness: whether one of them says how far behind it is, for a client that takes a stale answer.
    func write(to writer: inout JSONWriter, showsStaleness: Bool)
}
