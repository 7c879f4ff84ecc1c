import Foundation
import KafkaClient

/// Takes an application back to where it has never run: deletes the committed offsets of its group, its internal topics and its local
/// state, as Kafka Streams' application reset tool does. Topics that others write or read are not touched. Blocks.
public struct ApplicationReset: Sendable {
    /// What there is to delete.
    public struct Plan: Sendable, Equatable {
        /// The group whose committed offsets go; nil: it has none.
        public var group: String?
        public var topics: [String]
        /// Nil: there is no local state here.
        public var directory: String?

        public var isEmpty: Bool { group == nil && topics.isEmpty && directory == nil }
    }

    private let settings: StreamSettings
    private let topology: Topology

    public init(settings: StreamSettings, topology: Topology) {
        self.settings = settings
        self.topology = topology
    }

    /// Looks, and changes nothing.
    ///
    /// - Throws: `.incompatible` while a worker runs: the group has members, or a process works in the state directory.
    public func plan() throws(StreamError) -> Plan {
        let application = try StoppedApplication(settings: settings, topology: topology)
        var plan = Plan(group: try application.group(), topics: try application.internalTopics())
        if try application.lock() != nil { plan.directory = application.directory }
        return plan
    }

    /// Deletes it all. Where that fails half-way, another run does the rest, and a worker that starts between the two loses nothing: offsets
    /// go first, so that it reads the input anew.
    ///
    /// - Throws: as `plan`, when a worker has started meanwhile; and when the broker refuses.
    public func run() throws(StreamError) {
        let application = try StoppedApplication(settings: settings, topology: topology)
        let lock = try application.lock()
        defer { withExtendedLifetime(lock) {} }
        if let group = try application.group() { try application.delete(group: group) }
        try application.delete(try application.internalTopics())
        if lock != nil { try deleteState(of: application) }
    }

    /// All but the lock, which a process that waits for it has open.
    private func deleteState(of application: StoppedApplication) throws(StreamError) {
        for name in application.state {
            let path = "\(application.directory)/\(name)"
            do {
                try FileManager.default.removeItem(atPath: path)
            } catch {
                throw .incompatible("state.dir: \(path) cannot be deleted: \(error.localizedDescription)")
            }
        }
    }
}
