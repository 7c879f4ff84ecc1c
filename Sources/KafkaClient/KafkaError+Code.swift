import CRdKafka

extension KafkaError {
    /// librdkafka's `rd_kafka_resp_err_t`: its own codes are negative, Kafka's protocol errors positive.
    public struct Code: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
        public let rawValue: Int32

        public init(rawValue: Int32) {
            self.rawValue = rawValue
        }

        init(_ code: rd_kafka_resp_err_t) {
            self.init(rawValue: code.rawValue)
        }

        /// The library's name for it, such as `_QUEUE_FULL` or `ILLEGAL_GENERATION`.
        public var description: String { String(cString: rd_kafka_err2name(rd_kafka_resp_err_t(rawValue))) }

        /// The library's short text for it.
        public var text: String { String(cString: rd_kafka_err2str(rd_kafka_resp_err_t(rawValue))) }
    }
}

// librdkafka's own codes.
extension KafkaError.Code {
    public static let allBrokersDown = Self(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
    public static let assignmentLost = Self(RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST)
    public static let authentication = Self(RD_KAFKA_RESP_ERR__AUTHENTICATION)
    public static let autoOffsetReset = Self(RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
    /// The client was closed.
    public static let closed = Self(RD_KAFKA_RESP_ERR__DESTROY)
    public static let conflict = Self(RD_KAFKA_RESP_ERR__CONFLICT)
    public static let failed = Self(RD_KAFKA_RESP_ERR__FAIL)
    /// The client instance is beyond repair; see `Producer.fatalError` for the cause.
    public static let fatal = Self(RD_KAFKA_RESP_ERR__FATAL)
    public static let fenced = Self(RD_KAFKA_RESP_ERR__FENCED)
    public static let inProgress = Self(RD_KAFKA_RESP_ERR__IN_PROGRESS)
    public static let invalidArgument = Self(RD_KAFKA_RESP_ERR__INVALID_ARG)
    public static let maxPollExceeded = Self(RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED)
    public static let messageTimedOut = Self(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
    public static let noOffset = Self(RD_KAFKA_RESP_ERR__NO_OFFSET)
    public static let previousInProgress = Self(RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS)
    public static let purgedInFlight = Self(RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
    public static let purgedInQueue = Self(RD_KAFKA_RESP_ERR__PURGE_QUEUE)
    /// The producer's queue is full: poll, then produce again.
    public static let queueFull = Self(RD_KAFKA_RESP_ERR__QUEUE_FULL)
    public static let resolve = Self(RD_KAFKA_RESP_ERR__RESOLVE)
    public static let retry = Self(RD_KAFKA_RESP_ERR__RETRY)
    /// Not in a state that allows the call.
    public static let state = Self(RD_KAFKA_RESP_ERR__STATE)
    public static let timedOut = Self(RD_KAFKA_RESP_ERR__TIMED_OUT)
    public static let timedOutInQueue = Self(RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE)
    public static let transport = Self(RD_KAFKA_RESP_ERR__TRANSPORT)
    public static let unknownPartition = Self(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
    public static let unknownTopic = Self(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
    public static let unsupportedFeature = Self(RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE)
    public static let waitingForCoordinator = Self(RD_KAFKA_RESP_ERR__WAIT_COORD)
}

// Kafka's protocol errors.
extension KafkaError.Code {
    public static let concurrentTransactions = Self(RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS)
    public static let coordinatorLoadInProgress = Self(RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS)
    public static let coordinatorNotAvailable = Self(RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE)
    public static let fencedInstanceID = Self(RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
    public static let fencedLeaderEpoch = Self(RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH)
    public static let groupAuthorizationFailed = Self(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
    public static let groupIDNotFound = Self(RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND)
    public static let illegalGeneration = Self(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION)
    public static let invalidConfiguration = Self(RD_KAFKA_RESP_ERR_INVALID_CONFIG)
    public static let invalidProducerEpoch = Self(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH)
    public static let invalidRecord = Self(RD_KAFKA_RESP_ERR_INVALID_RECORD)
    public static let invalidTransactionState = Self(RD_KAFKA_RESP_ERR_INVALID_TXN_STATE)
    public static let leaderNotAvailable = Self(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
    public static let messageSizeTooLarge = Self(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
    public static let networkException = Self(RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION)
    public static let nonEmptyGroup = Self(RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP)
    public static let notController = Self(RD_KAFKA_RESP_ERR_NOT_CONTROLLER)
    public static let notCoordinator = Self(RD_KAFKA_RESP_ERR_NOT_COORDINATOR)
    public static let notEnoughReplicas = Self(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS)
    public static let notEnoughReplicasAfterAppend = Self(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND)
    public static let notLeaderForPartition = Self(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION)
    public static let offsetNotAvailable = Self(RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE)
    public static let offsetOutOfRange = Self(RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
    public static let producerFenced = Self(RD_KAFKA_RESP_ERR_PRODUCER_FENCED)
    public static let rebalanceInProgress = Self(RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS)
    public static let recordListTooLarge = Self(RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE)
    public static let requestTimedOut = Self(RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT)
    public static let storageError = Self(RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR)
    public static let topicAlreadyExists = Self(RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
    public static let topicAuthorizationFailed = Self(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
    public static let unknownLeaderEpoch = Self(RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH)
    public static let unknownMemberID = Self(RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID)
    public static let unknownTopicOrPartition = Self(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
    public static let unstableOffsetCommit = Self(RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT)
    public static let unsupportedVersion = Self(RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION)
}
