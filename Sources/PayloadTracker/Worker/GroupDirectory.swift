import Foundation
import PayloadTopology
import QueryService
import StreamRuntime
import Synchronization

/// The instances of the consumer group, as the HTTP endpoint takes them.
final class GroupDirectory: InstanceDirectory {
    private let application: StreamApplication
    private let payloadTopic: String
    private let inputTopic: String
    private let standbyReplicas: Int
    /// The last map made of the runtime's, which every lookup asks for.
    private let latest = Mutex(InstanceMap())

    init(_ application: StreamApplication, settings: Settings) {
        self.application = application
        standbyReplicas = settings.standbyReplicas
        payloadTopic = PayloadTopology.payloadTopic(settings.topics, isInputKeyed: settings.inputKeyedByPayloadID)
        inputTopic = settings.topicsInput
    }

    private var ownership: PartitionOwnership { application.ownership }

    var own: TrackerInstance? { ownership.own.map(GroupDirectory.instance) }

    var map: InstanceMap { translated(ownership.map) }

    func refreshed(after version: Int, isPatient: Bool) async -> InstanceMap {
        translated(await ownership.refreshed(after: version, isPatient: isPatient))
    }

    private func translated(_ map: OwnershipMap) -> InstanceMap {
        latest.withLock { latest in
            if latest.version != map.version {
                let standbys = map.standbys(
                    topic: payloadTopic,
                    partitionCount: application.topics?[payloadTopic]?.partitionCount ?? 0,
                    replicas: standbyReplicas
                )
                latest = InstanceMap(
                    version: map.version,
                    instances: map.instances.map(GroupDirectory.instance),
                    owners: map.owners(topic: payloadTopic).mapValues(GroupDirectory.instance),
                    standbys: standbys.mapValues { $0.map(GroupDirectory.instance) },
                    inputOwners: map.owners(topic: inputTopic).mapValues(GroupDirectory.instance),
                    problem: map.problem
                )
            }
            return latest
        }
    }

    /// Any member of the group could have said anything: what is no address of a server is none.
    private static func instance(_ instance: StreamInstance) -> TrackerInstance {
        let url = instance.server.flatMap { SettingType<URL>.serverURL.parse($0) }?.serverRoot
        return TrackerInstance(name: instance.name, url: url)
    }
}

extension URL {
    /// A server's root without a slash at its end, so that a path can follow.
    var serverRoot: String { absoluteString.hasSuffix("/") ? String(absoluteString.dropLast()) : absoluteString }
}
