import PayloadModel

/// Tells when payloads change, so that requests that wait need not look again and again. Called from any thread; must not block.
public protocol PayloadWatcher: Sendable {
    /// An element for each commit on this instance that changes the payload from now on, and when the payload may have left this
    /// instance; those that nobody has taken yet are one.
    /// The stream costs something as long as it is kept.
    func changes(of id: PayloadID) -> AsyncStream<Void>
}
