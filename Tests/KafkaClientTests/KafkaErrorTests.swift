import KafkaClient
import Testing

@Suite("Errors")
struct KafkaErrorTests {
    @Test(
        "A worker would give up, or retry for ever, on the wrong errors",
        arguments: [
            (KafkaError.Code.queueFull, KafkaError.Kind.retriable), (.timedOut, .retriable), (.transport, .retriable),
            (.allBrokersDown, .retriable), (.notCoordinator, .retriable), (.unknownTopicOrPartition, .retriable),
            (.illegalGeneration, .abortable), (.unknownMemberID, .abortable), (.rebalanceInProgress, .abortable),
            (.assignmentLost, .abortable), (.fencedInstanceID, .fatal), (.producerFenced, .fatal), (.fatal, .fatal),
            (.messageSizeTooLarge, .permanent), (.topicAlreadyExists, .permanent), (.invalidArgument, .permanent),
            (.topicAuthorizationFailed, .permanent),
        ]
    )
    func kindFollowsFromTheCode(code: KafkaError.Code, kind: KafkaError.Kind) {
        #expect(KafkaError(code).kind == kind)
    }

    @Test("A log line would show a number that nobody can look up")
    func descriptionsNameTheCode() {
        #expect("\(KafkaError(.illegalGeneration))".contains("ILLEGAL_GENERATION"))
        #expect("\(KafkaError(.queueFull, "orders: full"))" == "orders: full (_QUEUE_FULL)")
    }
}
