/// One process of an application, as the others of its group know it.
///
/// It says who it is in the `client.id` of its consumers: the one thing of a member that `DescribeConsumerGroups` tells and that a
/// client of librdkafka can choose. (Kafka Streams puts its `application.server`, KIP-67, into what its assignor sends.) All stream
/// threads of a process say the same.
public struct StreamInstance: Hashable, Sendable {
    /// Its `group.instance.id`, or a name that its state directory keeps.
    public let name: String
    /// Where it answers questions about its state; nil: it does not say.
    public let server: String?

    public init(name: String, server: String?) {
        self.name = name
        self.server = server
    }

    /// What a member of the group says of itself; one that is none of ours goes by what the group calls it.
    init(clientID: String, memberName: String) {
        let parts = clientID.split(separator: StreamInstance.separator, omittingEmptySubsequences: false).suffix(2)
        guard parts.count == 2, parts.startIndex > 0, let name = parts.first, let server = parts.last, !name.isEmpty
        else {
            self.init(name: memberName, server: nil)
            return
        }
        self.init(name: String(name), server: server.isEmpty ? nil : String(server))
    }

    /// - Parameter prefix: what the client would be called otherwise; it may hold anything.
    func clientID(prefix: String) -> String {
        let separator = StreamInstance.separator
        return "\(prefix)\(separator)\(name)\(separator)\(server ?? "")"
    }

    /// Neither names that Kafka takes for a `group.instance.id` nor the root of a server hold it.
    private static let separator: Character = ";"
}
