/// An instance of the tracker.
public struct TrackerInstance: Hashable, Sendable {
    public let name: String
    /// Where it answers, the root without a slash at its end; nil: it does not say.
    public let url: String?

    public init(name: String, url: String?) {
        self.name = name
        self.url = url
    }
}

/// Which instance answers for which partition, as far as this one knows. It may be wrong at any time.
public struct InstanceMap: Sendable {
    /// Grows with each look; 0: nobody has looked yet.
    public var version: Int
    /// All instances, those without a partition too.
    public var instances: [TrackerInstance]
    /// The owners of the payloads' partitions, of those that have one.
    public var owners: [Int32: TrackerInstance]
    /// The instances that stand by for the payloads' partitions, those to ask first first.
    public var standbys: [Int32: [TrackerInstance]]
    /// The owners of the input topic's partitions.
    public var inputOwners: [Int32: TrackerInstance]
    /// Why it may be wrong, a clause for people; nil: nothing speaks against it.
    public var problem: String?

    public init(
        version: Int = 0,
        instances: [TrackerInstance] = [],
        owners: [Int32: TrackerInstance] = [:],
        standbys: [Int32: [TrackerInstance]] = [:],
        inputOwners: [Int32: TrackerInstance] = [:],
        problem: String? = nil
    ) {
        self.version = version
        self.instances = instances
        self.owners = owners
        self.standbys = standbys
        self.inputOwners = inputOwners
        self.problem = problem
    }
}

/// Where the service learns who owns what. Called from many tasks at once, on the cooperative pool.
public protocol InstanceDirectory: Sendable {
    /// This instance; nil before it has joined the others.
    var own: TrackerInstance? { get }

    /// What is known now. Does not wait.
    var map: InstanceMap { get }

    /// What is known after another look, or what is newer than `version` already. A look may take seconds, and those who ask meanwhile
    /// share it.
    ///
    /// - Parameter isPatient: whether to wait until it is time for another look; without it, one of a moment ago has to do.
    func refreshed(after version: Int, isPatient: Bool) async -> InstanceMap
}
