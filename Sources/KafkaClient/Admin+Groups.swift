import CRdKafka
import Foundation

/// A consumer group as its coordinator sees it.
public struct GroupDescription: Hashable, Sendable {
    public enum State: String, Sendable {
        case unknown = "Unknown"
        case preparingRebalance = "PreparingRebalance"
        case completingRebalance = "CompletingRebalance"
        case stable = "Stable"
        /// There is no such group, or it is being removed.
        case dead = "Dead"
        /// No members, but committed offsets.
        case empty = "Empty"
    }

    public struct Member: Hashable, Sendable {
        public let id: String
        public let clientID: String
        /// `group.instance.id` of a static member (KIP-345).
        public let groupInstanceID: String?
        /// Its address as the broker saw it, such as `/127.0.0.1`.
        public let host: String
        public let assignment: [TopicPartition]
    }

    public let id: String
    public let state: State
    /// The assignor the members agreed on, such as `range`.
    public let assignor: String
    public let members: [Member]
}

extension Admin {
    /// Describes groups by id, over a connection of its own. A group that does not exist is `dead`, or fails with `.groupIDNotFound`, as the broker's
    /// version has it.
    public func describeGroups(
        _ ids: [String],
        timeout: Duration
    ) throws(KafkaError) -> [String: Result<GroupDescription, KafkaError>] {
        guard !ids.isEmpty else { return [:] }
        var names = ids.map { UnsafePointer(strdup($0)) }
        defer { for name in names { free(UnsafeMutablePointer(mutating: name)) } }
        return try groupRequest(RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, timeout: timeout) { client, options, queue in
            rd_kafka_DescribeConsumerGroups(client, &names, names.count, options, queue)
        } read: { event in
            var count = 0
            let groups = rd_kafka_DescribeConsumerGroups_result_groups(
                rd_kafka_event_DescribeConsumerGroups_result(event),
                &count
            )
            var outcomes: [String: Result<GroupDescription, KafkaError>] = [:]
            for group in UnsafeBufferPointer(start: groups, count: count) {
                guard let group else { continue }
                let description = GroupDescription(group)
                outcomes[description.id] = Self.outcome(rd_kafka_ConsumerGroupDescription_error(group), description)
            }
            return outcomes
        }
    }

    /// Deletes groups and their committed offsets, over a connection of its own. One that has members fails with `.nonEmptyGroup`, one that is not there
    /// with `.groupIDNotFound`.
    public func deleteGroups(
        _ ids: [String],
        timeout: Duration
    ) throws(KafkaError) -> [String: Result<Void, KafkaError>] {
        guard !ids.isEmpty else { return [:] }
        var handles = ids.map { rd_kafka_DeleteGroup_new($0) }
        defer { for handle in handles { rd_kafka_DeleteGroup_destroy(handle) } }
        return try groupRequest(RD_KAFKA_ADMIN_OP_DELETEGROUPS, timeout: timeout) { client, options, queue in
            rd_kafka_DeleteGroups(client, &handles, handles.count, options, queue)
        } read: { event in
            var count = 0
            let groups = rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event), &count)
            var outcomes: [String: Result<Void, KafkaError>] = [:]
            for group in UnsafeBufferPointer(start: groups, count: count) {
                let id = String(cString: rd_kafka_group_result_name(group))
                outcomes[id] = Self.outcome(rd_kafka_group_result_error(group), ())
            }
            return outcomes
        }
    }

    /// The result owns the error here, so it is only read.
    private static func outcome<Value>(_ error: OpaquePointer?, _ value: Value) -> Result<Value, KafkaError> {
        guard let error else { return .success(value) }
        let code = KafkaError.Code(rd_kafka_error_code(error))
        guard code.rawValue != RD_KAFKA_RESP_ERR_NO_ERROR.rawValue else { return .success(value) }
        return .failure(KafkaError(code, String(cString: rd_kafka_error_string(error))))
    }
}

extension GroupDescription {
    init(_ group: OpaquePointer) {
        id = String(cString: rd_kafka_ConsumerGroupDescription_group_id(group))
        let name = rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(group))
        state = name.flatMap { State(rawValue: String(cString: $0)) } ?? .unknown
        assignor = rd_kafka_ConsumerGroupDescription_partition_assignor(group).map { String(cString: $0) } ?? ""
        members = (0..<rd_kafka_ConsumerGroupDescription_member_count(group)).compactMap { index in
            rd_kafka_ConsumerGroupDescription_member(group, index).map { Member($0) }
        }
    }
}

extension GroupDescription.Member {
    init(_ member: OpaquePointer) {
        id = String(cString: rd_kafka_MemberDescription_consumer_id(member))
        clientID = String(cString: rd_kafka_MemberDescription_client_id(member))
        groupInstanceID = rd_kafka_MemberDescription_group_instance_id(member).map { String(cString: $0) }
        host = String(cString: rd_kafka_MemberDescription_host(member))
        let assigned = rd_kafka_MemberDescription_assignment(member).flatMap {
            rd_kafka_MemberAssignment_partitions($0)
        }
        assignment = assigned?.pointee.partitions ?? []
    }
}
