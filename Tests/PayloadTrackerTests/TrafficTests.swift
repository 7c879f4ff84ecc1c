import PayloadModel
import Testing
import SeededRandom

@testable import PayloadTracker

/// What someone who tries the tracker out relies on: the traffic is like real producers', repeatable, and ends as it says.
@Suite struct TrafficTests {
    static let epoch: Int64 = 1_704_164_645_123_456

    @Test("the same seed gives the same traffic, another seed another")
    func deterministic() {
        func traffic(_ seed: UInt64) -> [TrafficMessage] {
            Array(TrafficGenerator(seed: seed, rate: 100, epoch: Self.epoch).prefix(500))
        }
        #expect(traffic(1) == traffic(1))
        #expect(traffic(1) != traffic(2))
    }

    @Test("messages come at the rate that was asked for, in the order of time", arguments: [0.5, 50, 20_000])
    func rate(rate: Double) {
        let times = TrafficGenerator(seed: 3, rate: rate, epoch: Self.epoch).prefix(1001).map(\.time)
        #expect(times == times.sorted())
        #expect(times.last == .microseconds(Int64(1000 / rate * 1_000_000)))
    }

    @Test("at a busy rate many payloads are under way at once, of every kind, with retries and garbage")
    func mixture() throws {
        let messages = Array(TrafficGenerator(seed: 4, rate: 2000, epoch: Self.epoch).prefix(60_000))
        let decoder = StatusDecoder(vocabulary: StatusVocabulary(), statusMessageMaxBytes: 4096)
        var services: Set<String> = []
        var payloads: Set<PayloadID> = []
        var refusals: Set<String> = []
        for message in messages {
            switch decode(message.value, decoder) {
            case .success(let status):
                services.insert(status.service.string)
                payloads.insert(status.payloadID)
            case .failure(let refusal): refusals.insert(refusal.reason.rawValue)
            }
        }
        #expect(services.isSuperset(of: TrafficSequence.all.flatMap { $0.steps.map(\.service) }))
        #expect(payloads.count > 2000)
        #expect(refusals == Set(Garbage.usual.map(\.rawValue)))
        #expect(Set(messages.map(\.value)).count < messages.count, "no message came twice")
    }

    @Test("a payload ends as its sequence says", arguments: TrafficSequence.all.indices)
    func endings(index: Int) throws {
        let sequence = TrafficSequence.all[index]
        let decoder = StatusDecoder(vocabulary: StatusVocabulary(), statusMessageMaxBytes: 4096)
        let rules = PayloadRules()
        for seed in UInt64(0)..<20 {
            var random = SplitMix64(seed: seed)
            let payload = TrafficPayload(sequence, start: .zero, epoch: Self.epoch, timeScale: 1, using: &random)
            var state = PayloadState(id: try PayloadID(normalizing: payload.id))
            var lastTime = Duration.zero
            for message in payload.messages {
                let status = try decode(message.value, decoder).get()
                #expect(status.payloadID == state.id)
                #expect(message.time >= lastTime)
                lastTime = message.time
                _ = try state.fold(status, rules: rules)
            }
            // Judged when nothing more comes: after the settle time, and then after the stall time.
            _ = state.judge(after: .entry, at: Timestamp(microseconds: 0), rules: rules)
            _ = state.judge(after: .time, at: Timestamp(microseconds: rules.completionSettle), rules: rules)
            _ = state.judge(after: .time, at: Timestamp(microseconds: rules.stallAfter), rules: rules)
            #expect(state.outcome.name == sequence.ending.rawValue, "\(sequence.name), seed \(seed)")
        }
    }

    @Test("every kind of garbage is refused for the reason that it is named after", arguments: Garbage.allCases)
    func garbage(kind: Garbage) {
        let decoder = StatusDecoder(vocabulary: StatusVocabulary(), statusMessageMaxBytes: 4096)
        for seed in UInt64(0)..<10 {
            var random = SplitMix64(seed: seed)
            guard case .failure(let refusal) = decode(kind.value(using: &random), decoder) else {
                Issue.record("\(kind) was taken")
                return
            }
            #expect(refusal.reason.rawValue == kind.rawValue)
        }
    }

    @Test("every form of a date means the same instant")
    func dates() throws {
        let date = TrafficDate(microseconds: Self.epoch)
        #expect(date.text(.nanosecondsWithZ) == "2024-01-02T03:04:05.123456000Z")
        #expect(date.text(.withOffset) == "2024-01-02T03:04:05.123456+00:00")
        #expect(date.text(.naive) == "2024-01-02T03:04:05.123456")
        #expect(date.text(.naiveWithSpace) == "2024-01-02 03:04:05.123456")
    }

    @Test("a time scale makes payloads faster or slower")
    func timeScale() {
        func length(_ scale: Double) -> Duration {
            var random = SplitMix64(seed: 5)
            let payload = TrafficPayload(
                .rhelUpload,
                start: .zero,
                epoch: Self.epoch,
                timeScale: scale,
                using: &random
            )
            return payload.messages.last?.time ?? .zero
        }
        #expect(length(0.1) < .seconds(2))
        #expect(length(1) > .seconds(5))
        #expect(length(10) > .seconds(50))
    }

    private func decode(_ value: [UInt8], _ decoder: StatusDecoder) -> Result<StatusMessage, Refusal> {
        value.withUnsafeBytes { bytes in
            do throws(Refusal) {
                return .success(try decoder.decode(bytes, recordTimestamp: 0))
            } catch {
                return .failure(error)
            }
        }
    }
}
