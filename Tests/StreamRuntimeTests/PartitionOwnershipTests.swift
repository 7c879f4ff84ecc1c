import Logging
import Synchronization
import Testing

@testable import KafkaClient
@testable import StreamRuntime

/// Lookups would hammer the brokers, or go on asking the wrong instance.
@Suite(.timeLimit(.minutes(1))) struct PartitionOwnershipTests {
    private let one = StreamInstance(name: "one", server: "http://10.0.0.1:8080")

    @Test("many who find the map wrong at once ask the coordinator once")
    func shared() async {
        let coordinator = Coordinator([.success(.group(.stable, [(one, [("hop", 0)])]))], seconds: 0.2)
        let ownership = coordinator.ownership()
        await withTaskGroup { group in
            for _ in 0..<50 {
                group.addTask { _ = await ownership.refreshed(after: 0, isPatient: true) }
            }
        }
        #expect(coordinator.questions == 1)
        #expect(ownership.map.owner(topic: "hop", partition: 0) == one)
        // A map that is newer than the one found wrong is as good as a new one.
        #expect(await ownership.refreshed(after: 0, isPatient: true).version == 1)
        #expect(coordinator.questions == 1)
    }

    @Test("the coordinator is asked again only after a while: those who are patient wait, the others do not")
    func gap() async {
        let coordinator = Coordinator([.success(.group(.stable, []))])
        let ownership = coordinator.ownership(gap: .milliseconds(300))
        _ = await ownership.refreshed(after: 0, isPatient: true)
        #expect(await ownership.refreshed(after: 1, isPatient: false).version == 1)
        #expect(await ownership.refreshed(after: 1, isPatient: true).version == 2)
        #expect(coordinator.questions == 2)
    }

    @Test(
        "a coordinator that does not answer leaves what is known, is named as the reason, and is left alone for longer"
    )
    func failure() async {
        let answer = GroupDescription.group(.stable, [(one, [("hop", 0)])])
        let coordinator = Coordinator([.success(answer), .failure(KafkaError(.timedOut))])
        let ownership = coordinator.ownership(gap: .milliseconds(1))
        _ = await ownership.refreshed(after: 0, isPatient: true)
        let map = await ownership.refreshed(after: 1, isPatient: true)
        #expect(map.version == 2 && map.problem != nil)
        #expect(map.owner(topic: "hop", partition: 0) == one)
        #expect(await ownership.refreshed(after: 2, isPatient: true).version == 2)
        #expect(coordinator.questions == 2)
    }

    @Test(
        "after a rebalance the coordinator is asked until it tells who has what, although nobody looks",
        arguments: [
            Result<GroupDescription, KafkaError>.failure(KafkaError(.timedOut)),
            .success(.group(.preparingRebalance, [])),
        ]
    )
    func untilToldAfterRebalance(_ first: Result<GroupDescription, KafkaError>) async throws {
        let coordinator = Coordinator([first, .success(.group(.stable, [(one, [("hop", 0)])]))])
        let ownership = coordinator.ownership(gap: .milliseconds(1), gapAfterFailure: .milliseconds(1))
        ownership.rebalanced()
        while ownership.map.owner(topic: "hop", partition: 0) != one { try await Task.sleep(for: .milliseconds(1)) }
        #expect(coordinator.questions == 2 && ownership.map.problem == nil)
    }

    @Test("a broker that describes no groups, such as the embedded one, is not asked again")
    func unsupported() async {
        let coordinator = Coordinator([.failure(KafkaError(.unsupportedFeature))])
        let ownership = coordinator.ownership(gap: .milliseconds(1))
        for version in 0..<3 { _ = await ownership.refreshed(after: version, isPatient: true) }
        ownership.rebalanced()
        #expect(await ownership.refreshed(after: 9, isPatient: true).problem != nil)
        #expect(coordinator.questions == 1)
    }

    @Test("a rebalance refreshes the map, also one that comes while the coordinator is being asked")
    func rebalance() async throws {
        let coordinator = Coordinator([.success(.group(.stable, []))], seconds: 0.1)
        let ownership = coordinator.ownership(gap: .milliseconds(1))
        ownership.rebalanced()
        while coordinator.questions == 0 { try await Task.sleep(for: .milliseconds(1)) }
        ownership.rebalanced()
        while coordinator.questions < 2 { try await Task.sleep(for: .milliseconds(1)) }
        #expect(await ownership.refreshed(after: 1, isPatient: true).version == 2)
        #expect(coordinator.questions == 2)
    }
}

/// A coordinator that gives its answers in turn, the last one for ever.
private final class Coordinator: Sendable {
    private let answers: [Result<GroupDescription, KafkaError>]
    private let delay: Double
    private let count = Mutex(0)

    init(_ answers: [Result<GroupDescription, KafkaError>], seconds: Double = 0) {
        self.answers = answers
        delay = seconds
    }

    var questions: Int { count.withLock { $0 } }

    func ownership(gap: Duration = .seconds(1), gapAfterFailure: Duration = .seconds(60)) -> PartitionOwnership {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return PartitionOwnership(gap: gap, gapAfterFailure: gapAfterFailure, logger: logger) {
            () throws(KafkaError) in
            try self.answer().get()
        }
    }

    private func answer() -> Result<GroupDescription, KafkaError> {
        let number = count.withLock { count in
            count += 1
            return count
        }
        StopSignal().wait(seconds: delay)
        return answers[min(number, answers.count) - 1]
    }
}
