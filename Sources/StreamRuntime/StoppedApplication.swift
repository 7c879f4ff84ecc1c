import Foundation
import KafkaClient

/// What an application has in Kafka and on this machine, for commands that want it stopped. Blocks.
struct StoppedApplication {
    let settings: StreamSettings
    let topology: Topology
    let admin: Admin

    private static let timeout = Duration.seconds(30)
    private static let timeoutOfQuestions = Duration.seconds(10)

    init(settings: StreamSettings, topology: Topology) throws(StreamError) {
        try settings.checkClients()
        self.settings = settings
        self.topology = topology
        admin = try withKafka { () throws(KafkaError) in try Admin(settings.client) }
    }

    // MARK: The group

    /// Nil: there is no such group.
    ///
    /// - Throws: `.incompatible` while it has members, and where nobody can tell.
    func group() throws(StreamError) -> String? {
        let id = settings.applicationID
        let description: GroupDescription
        do {
            let answers = try admin.describeGroups([id], timeout: StoppedApplication.timeoutOfQuestions)
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

    /// Deletes the group's committed offsets.
    func delete(group: String) throws(StreamError) {
        do {
            try admin.deleteGroups([group], timeout: StoppedApplication.timeout)[group]?.get()
        } catch {
            if error.code == .nonEmptyGroup { throw hasMembers([]) }
            if error.code != .groupIDNotFound { throw .kafka(error) }
        }
    }

    // MARK: Topics

    /// Those that are there. They are the application's alone: what others write or read has another role.
    func internalTopics() throws(StreamError) -> [String] {
        let names = topology.topics.filter { $0.role == .internal }.map(\.name)
        return try withKafka { () throws(KafkaError) in
            try admin.describeTopics(names, timeout: StoppedApplication.timeoutOfQuestions).keys.sorted()
        }
    }

    /// Deletes internal topics, and waits until the broker no longer shows any.
    func delete(_ topics: [String]) throws(StreamError) {
        let results = try withKafka { () throws(KafkaError) in
            try admin.deleteTopics(topics, timeout: StoppedApplication.timeout)
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
        let deadline = monotonicSeconds() + StoppedApplication.timeout / .seconds(1)
        while try !internalTopics().isEmpty {
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

    var directory: String { "\(settings.stateDirectory)/\(settings.applicationID)" }

    /// Names of what is in the directory, but for the lock.
    var state: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).filter { $0 != StateLock.fileName }
    }

    var hasState: Bool { !state.isEmpty }

    /// Keeps workers of this directory away for as long as what it returns lives: one that starts meanwhile waits for it, and then stops.
    /// Nil: there is no local state.
    func lock() throws(StreamError) -> StateLock? {
        hasState ? try StateLock(path: directory, patience: 0) : nil
    }
}
