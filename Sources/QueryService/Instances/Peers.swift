import Foundation
import HTTPTypes
import NIOCore
import ServiceLifecycle

/// The other instances: who they are, and how they are asked.
public struct Peers: Sendable {
    let directory: any InstanceDirectory
    let secret: PeerSecret?
    private let client: any PeerClient
    private let limits = PeerLimits()

    /// To one instance. Those that wait for an outcome must not hold up others, so that each may need a connection of its own.
    public static let maxRequests = PeerLimits.maxQuick + PeerLimits.maxWaiting

    /// - Parameter secret: shown to the others, and asked of those who claim to be one; nil: anyone may claim it.
    public init(directory: any InstanceDirectory, client: any PeerClient, secret: PeerSecret?) {
        self.directory = directory
        self.client = client
        self.secret = secret
    }

    /// Asks an instance once. It answers from its own stores.
    ///
    /// - Parameters:
    ///   - wait: how long the other side may take for its answer beyond `patience`. A wait ends early when this instance shuts down.
    ///   - target: path and query.
    func ask(
        _ instance: TrackerInstance,
        _ target: String,
        patience: Duration,
        wait: Duration = .zero
    ) async throws(PeerFailure) -> PeerAnswer {
        guard let root = instance.url else { throw .unusable("does not say where it answers") }
        let own = directory.own
        guard root != own?.url else {
            throw .unusable("says that it answers at \(root), which is this instance; set advertised.url on both")
        }
        let isWaiting = wait > .zero
        guard limits.start(root, isWaiting: isWaiting) else { throw .busy }
        defer { limits.end(root, isWaiting: isWaiting) }
        var headers: HTTPFields = [.trackerInstance: own?.name ?? ""]
        headers[.trackerSecret] = secret?.text
        let answer = try await get(root + target, headers, patience + wait, endsEarly: isWaiting)
        if answer.status == .forbidden {
            throw .unusable("refuses requests of this instance; set the same http.peer-secret on both")
        }
        return answer
    }

    /// Who is there, found out now if nobody has asked yet.
    var knownMap: InstanceMap {
        get async {
            let map = directory.map
            return map.version == 0 ? await directory.refreshed(after: 0, isPatient: false) : map
        }
    }

    /// Asks several instances the same at once.
    ///
    /// - Parameter read: an answer's body; nil: it is of no use.
    /// - Returns: what those have who answered.
    func gather<Part: Sendable>(
        from instances: [TrackerInstance],
        _ target: String,
        patience: Duration,
        read: @escaping @Sendable (Data) -> Part?
    ) async -> [TrackerInstance: Part] {
        await withTaskGroup { group in
            for instance in instances {
                group.addTask { () -> (TrackerInstance, Part?) in
                    guard let answer = try? await ask(instance, target, patience: patience), answer.status == .ok
                    else { return (instance, nil) }
                    return (instance, read(Data(answer.body.readableBytesView)))
                }
            }
            var parts: [TrackerInstance: Part] = [:]
            for await (instance, part) in group { parts[instance] = part }
            return parts
        }
    }

    private func get(
        _ url: String,
        _ headers: HTTPFields,
        _ timeout: Duration,
        endsEarly: Bool
    ) async throws(PeerFailure) -> PeerAnswer {
        guard endsEarly else { return try await client.get(url, headers: headers, timeout: timeout) }
        let answer = await cancelWhenGracefulShutdown { [client] in
            do throws(PeerFailure) {
                return Result<PeerAnswer, PeerFailure>.success(
                    try await client.get(url, headers: headers, timeout: timeout)
                )
            } catch {
                return .failure(error)
            }
        }
        return try answer.get()
    }
}
