extension KafkaError {
    /// What a caller can do about an error.
    public enum Kind: Hashable, Sendable {
        /// The same call may succeed later.
        case retriable
        /// The work since the last commit must be thrown away and done again: abort the transaction, rewind the consumer.
        case abortable
        /// This client can do nothing more: close it and make a new one.
        case fatal
        /// The same call will fail again.
        case permanent

        /// What the code alone tells, where the library gave no more than a code. Retriable are those that Java's client
        /// calls so, and the library's own waits and broken connections.
        init(_ code: Code) {
            switch code {
            case .allBrokersDown, .inProgress, .maxPollExceeded, .messageTimedOut, .previousInProgress, .queueFull,
                .resolve, .retry, .timedOut, .timedOutInQueue, .transport, .waitingForCoordinator,
                .concurrentTransactions, .coordinatorLoadInProgress, .coordinatorNotAvailable, .fencedLeaderEpoch,
                .leaderNotAvailable, .networkException, .notController, .notCoordinator, .notEnoughReplicas,
                .notEnoughReplicasAfterAppend, .notLeaderForPartition, .offsetNotAvailable, .requestTimedOut,
                .storageError, .unknownLeaderEpoch, .unknownTopicOrPartition, .unstableOffsetCommit:
                self = .retriable
            case .assignmentLost, .illegalGeneration, .rebalanceInProgress, .unknownMemberID:
                self = .abortable
            case .fatal, .fenced, .fencedInstanceID, .invalidProducerEpoch, .producerFenced:
                self = .fatal
            default:
                self = .permanent
            }
        }
    }
}
