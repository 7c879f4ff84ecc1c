import Foundation
import KafkaClient
import Logging
import QueryService
import ServiceLifecycle
import Testing

@testable import PayloadTracker

/// Those who listen hear of every outcome that is committed while they do, and of what they missed.
@Suite(.timeLimit(.minutes(2))) struct OutcomeHubTests {
    private static let topic = "outcomes"

    @Test("all listeners hear of what comes after they came, and of nothing before")
    func live() async throws {
        try await withHub { hub, broker in
            try broker.write(0..<3)
            let first = try await hub.subscribe(from: nil)
            try broker.write(3..<5)
            #expect(try await first.take(2) == ["3", "4"])
            let second = try await hub.subscribe(from: nil)
            try broker.write(5..<8)
            #expect(try await first.take(3) == ["5", "6", "7"])
            #expect(try await second.take(3) == ["5", "6", "7"])
            first.end()
            #expect(await first.next() == nil)
        }
    }

    @Test("who comes back goes on without a gap: from what others hear, or from the topic when that is too long ago")
    func resume() async throws {
        try await withHub { hub, broker in
            let first = try await hub.subscribe(from: nil)
            try broker.write(0..<4)
            var position = first.start
            #expect(try await first.take(4, &position).count == 4)
            try broker.write(4..<9)
            #expect(try await first.take(5).count == 5)
            // In the ring.
            #expect(try await hub.subscribe(from: position).take(5) == ["4", "5", "6", "7", "8"])
            // Out of it, which has 50.
            for start in 9..<400 where start % 23 == 9 {
                let numbers = start..<min(start + 23, 400)
                try broker.write(numbers)
                #expect(try await first.take(numbers.count).count == numbers.count)
            }
            let late = try await hub.subscribe(from: position)
            #expect(try await late.take(396) == (4..<400).map { "\($0)" })
            try broker.write(400..<402)
            #expect(try await late.take(2) == ["400", "401"])
        }
    }

    @Test("a position from before the topic got more partitions begins the new ones at their beginning")
    func morePartitions() async throws {
        try await withHub { hub, broker in
            try broker.write(0..<6)
            let listener = try await hub.subscribe(from: OutcomePosition(nextOffsets: [0]))
            #expect(try await listener.take(6).count == 6)
            let failure = await #expect(throws: SubscriptionFailure.self) {
                try await hub.subscribe(from: OutcomePosition(nextOffsets: [0, 0, 0, 0]))
            }
            guard case .badPosition = failure else {
                Issue.record("\(String(describing: failure))")
                return
            }
        }
    }

    @Test("who does not keep up is let go, and the others are not held up")
    func slow() async throws {
        try await withHub { hub, broker in
            let slow = try await hub.subscribe(from: nil)
            let quick = try await hub.subscribe(from: nil)
            for start in stride(from: 0, to: 120, by: 20) {
                try broker.write(start..<start + 20)
                #expect(try await quick.take(20).count == 20)
            }
            #expect(await slow.next() == nil)
        }
    }

    @Test("nobody listens beyond the limit, until another stops")
    func limit() async throws {
        try await withHub(maxListeners: 1) { hub, _ in
            var listener: (any OutcomeSubscription)? = try await hub.subscribe(from: nil)
            #expect(listener != nil)
            await #expect(throws: SubscriptionFailure.self) { try await hub.subscribe(from: nil) }
            listener = nil
            _ = try await hub.subscribe(from: nil)
        }
    }

    @Test("records that are no outcomes are passed over")
    func foreignRecords() async throws {
        try await withHub { hub, broker in
            let listener = try await hub.subscribe(from: nil)
            try broker.write(["nonsense", "{}", #"{"type":"x\ny","services":[],"failed_stages":[]}"#])
            try broker.write(0..<1)
            #expect(try await listener.take(1) == ["0"])
        }
    }

    @Test("the consumer is closed when nobody listens any more, and opened again for the next")
    func idle() async throws {
        try await withHub(linger: .zero) { hub, broker in
            for round in 0..<3 {
                let listener = try await hub.subscribe(from: nil)
                try broker.write(round..<round + 1)
                #expect(try await listener.take(1) == ["\(round)"])
                listener.end()
                try await Task.sleep(for: .milliseconds(300))
            }
        }
    }

    @Test("a shutdown ends those who listen, and refuses new ones")
    func shutdown() async throws {
        let broker = try EmbeddedBroker(topics: [(Self.topic, 3)])
        defer { broker.close() }
        let hub = Self.hub(broker)
        let services = ServiceGroup(services: [hub], logger: Self.logger)
        async let running: Void = services.run()
        let listener = try await hub.subscribe(from: nil)
        await services.triggerGracefulShutdown()
        #expect(await listener.next() == nil)
        try await running
        await #expect(throws: SubscriptionFailure.self) { try await hub.subscribe(from: nil) }
    }

    @Test("a broker that is away is a reason to come again")
    func noBroker() async throws {
        let broker = try EmbeddedBroker(topics: [(Self.topic, 3)])
        let hub = Self.hub(broker)
        broker.close()
        let services = ServiceGroup(services: [hub], logger: Self.logger)
        async let running: Void = services.run()
        await #expect(throws: SubscriptionFailure.self) { try await hub.subscribe(from: nil) }
        await services.triggerGracefulShutdown()
        try await running
    }

    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func hub(_ broker: EmbeddedBroker, maxListeners: Int = 10, linger: Duration = .seconds(5))
        -> OutcomeHub
    {
        var configuration = OutcomeHub.Configuration(
            topic: topic,
            client: ["bootstrap.servers": broker.bootstrapServers],
            groupID: "test-reader"
        )
        configuration.maxListeners = maxListeners
        configuration.maxRingCount = 50
        configuration.linger = linger
        return OutcomeHub(configuration, logger: logger) { 3 }
    }

    private func withHub(
        maxListeners: Int = 10,
        linger: Duration = .seconds(5),
        _ body: (OutcomeHub, EmbeddedBroker) async throws -> Void
    ) async throws {
        let broker = try EmbeddedBroker(topics: [(Self.topic, 3)])
        defer { broker.close() }
        let hub = Self.hub(broker, maxListeners: maxListeners, linger: linger)
        let services = ServiceGroup(services: [hub], logger: Self.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await services.run() }
            try await body(hub, broker)
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
        }
    }
}

extension OutcomeSubscription {
    /// Accounts of the next outcomes, sorted as numbers: partitions are read in any order.
    fileprivate func take(_ count: Int) async throws -> [String] {
        var position = start
        return try await take(count, &position)
    }

    fileprivate func take(_ count: Int, _ position: inout OutcomePosition) async throws -> [String] {
        var accounts: [String] = []
        while accounts.count < count {
            let outcomes = try #require(await next(), "ended after \(accounts.count) of \(count)")
            accounts += outcomes.compactMap(\.account)
            for outcome in outcomes { _ = position.advance(past: outcome.offset, of: outcome.partition) }
        }
        return accounts.sorted { (Int($0) ?? -1) < (Int($1) ?? -1) }
    }
}

extension EmbeddedBroker {
    /// Events with these accounts, each to the next partition.
    fileprivate func write(_ accounts: Range<Int>) throws {
        try write(
            accounts.map {
                #"{"type":"payload-failed","account":"\#($0)","services":["a"],"failed_stages":[{"service":"a"}]}"#
            }
        )
    }

    fileprivate func write(_ values: [String]) throws {
        let producer = try Producer(["bootstrap.servers": bootstrapServers])
        defer { producer.close() }
        let topic = try producer.topic("outcomes")
        for (index, value) in values.enumerated() {
            try Array(value.utf8).withUnsafeBytes { bytes in
                try producer.produce(to: topic, partition: Int32(index % 3), key: nil, value: bytes)
            }
        }
        try producer.flush(timeout: .seconds(10))
    }
}
