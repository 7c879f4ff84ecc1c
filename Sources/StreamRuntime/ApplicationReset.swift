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

    private static let timeout = Duration.seconds(30)
    private static let timeoutOfQuestions = Duration.seconds(10)

    public init(settings: StreamSettings, topology: Topology) {
        self.settings = settings
        self.topology = topology
    }

    /// Looks, and changes nothing.
    ///
    /// - Throws: `.incompatible` while a worker runs: the group has members, or a process works in the state directory.
    public func plan() throws(StreamError) -> Plan {
        try settings.checkClients()
        let admin = try withKafka { () throws(KafkaError) in try Admin(settings.client) }
        var plan = Plan(group: try group(admin), topics: try internalTopics(admin))
        if hasState {
            _ = try StateLock(path: directory, patience: 0)
            plan.directory = directory
        }
        return plan
    }

    /// Deletes it all. Where that fails half-way, another run does the rest, and a worker that starts between the two loses nothing: offsets
    /// go first, so that it reads the input anew.
    ///
    /// - Throws: as `plan`, when a worker has started meanwhile; and when the broker refuses.
    public func run() throws(StreamError) {
        try settings.checkClients()
        let admin = try withKafka { () throws(KafkaError) in try Admin(settings.client) }
        // A worker that starts meanwhile waits for this, and then stops.
        let lock = hasState ? try StateLock(path: directory, patience: 0) : nil
        defer { withExtendedLifetime(lock) {} }
        if let group = try group(admin) { try delete(group: group, admin) }
        try delete(try internalTopics(admin), admin)
        if lock != nil { try deleteState() }
    }

    // MARK: The group

    /// Nil: there is no such group.
    private func group(_ admin: Admin) throws(StreamError) -> String? {
        let id = settings.applicationID
        let description: GroupDescription
        do {
            let answers = try admin.describeGroups([id], timeout: ApplicationReset.timeoutOfQuestions)
            guard let found = try answers[id]?.get() else { return nil }
            description = found
        } catch {
            if error.code == .groupIDNotFound { return nil }
            if error.code == .unsupportedFeature {
                throw .incompatible(
                    "this broker cannot tell whether a worker runs: it does not describe consumer groups"
                )
            }
            throw .kafka(error)
        }
        guard description.members.isEmpty else { throw hasMembers(description.members) }
        return description.state == .dead ? nil : id
    }

    private func hasMembers(_ members: [GroupDescription.Member]) -> StreamError {
        let instances = Set(
            members.map { StreamInstance(clientID: $0.clientID, memberName: $0.groupInstanceID ?? $0.id) }
        )
        let names = instances.sorted { $0.name < $1.name }.map { instance in
            instance.server.map { "\(instance.name) at \($0)" } ?? instance.name
        }
        let list = names.isEmpty ? "" : " (\(names.joined(separator: ", ")))"
        return .incompatible(
            "the group \(settings.applicationID) has members\(list): stop every worker of it first, with SIGTERM. "
                + "One that was killed, or has a group.instance.id, stays a member until its session.timeout is over"
        )
    }

    private func delete(group: String, _ admin: Admin) throws(StreamError) {
        do {
            try admin.deleteGroups([group], timeout: ApplicationReset.timeout)[group]?.get()
        } catch {
            if error.code == .nonEmptyGroup { throw hasMembers([]) }
            if error.code != .groupIDNotFound { throw .kafka(error) }
        }
    }

    // MARK: Topics

    /// Those that are there. They are the application's alone: what others write or read has another role.
    private func internalTopics(_ admin: Admin) throws(StreamError) -> [String] {
        let names = topology.topics.filter { $0.role == .internal }.map(\.name)
        return try withKafka { () throws(KafkaError) in
            try admin.describeTopics(names, timeout: ApplicationReset.timeoutOfQuestions).keys.sorted()
        }
    }

    private func delete(_ topics: [String], _ admin: Admin) throws(StreamError) {
        let results = try withKafka { () throws(KafkaError) in
            try admin.deleteTopics(topics, timeout: ApplicationReset.timeout)
        }
        for (name, result) in results {
            do throws(KafkaError) {
                try result.get()
            } catch {
                if error.code == .unknownTopicOrPartition { continue }
                if error.kind == .retriable { throw .kafka(error) }
                throw .incompatible("topic \(name) cannot be deleted: \(error.message)")
            }
        }
        // A worker that starts at once must not take the old ones for its own.
        let deadline = monotonicSeconds() + ApplicationReset.timeout / .seconds(1)
        while try !internalTopics(admin).isEmpty {
            if monotonicSeconds() > deadline {
                throw .kafka(
                    KafkaError(.timedOut, "\(topics.joined(separator: ", ")): the broker has not deleted them yet")
                )
            }
            // Kafka tells nobody; each look is a request.
            Thread.sleep(forTimeInterval: 0.2)
        }
    }

    // MARK: Local state

    private var directory: String { "\(settings.stateDirectory)/\(settings.applicationID)" }

    private var state: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).filter { $0 != StateLock.fileName }
    }

    private var hasState: Bool { !state.isEmpty }

    /// All but the lock, which a process that waits for it has open.
    private func deleteState() throws(StreamError) {
        for name in state {
            do {
                try FileManager.default.removeItem(atPath: "\(directory)/\(name)")
            } catch {
                throw .incompatible("state.dir: \(directory)/\(name) cannot be deleted: \(error.localizedDescription)")
            }
        }
    }
}
