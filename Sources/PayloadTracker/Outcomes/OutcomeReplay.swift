import Foundation
import KafkaClient
import Logging
import QueryService

/// Reads on from where a listener was, at the listener's pace, until the ring has the rest.
struct OutcomeReplay {
    private let hub: OutcomeHub
    private let listener: Int
    private let start: OutcomePosition
    private let decoder = OutcomeRecordDecoder()

    init(_ hub: OutcomeHub, listener: Int, from start: OutcomePosition) {
        self.hub = hub
        self.listener = listener
        self.start = start
    }

    /// Blocks.
    func run() {
        do throws(KafkaError) {
            let consumer = try Consumer(hub.configuration.reader, events: hub.clientEvents)
            defer { consumer.close() }
            let topic = hub.configuration.topic
            let offsets = start.nextOffsets.enumerated().map { partition, offset in
                (TopicPartition(topic: topic, partition: Int32(partition)), offset)
            }
            try consumer.assign(Dictionary(uniqueKeysWithValues: offsets))
            try read(consumer)
        } catch {
            hub.logger.warning("a listener's missed outcomes cannot be read: \(error)")
            hub.remove(listener)
        }
    }

    private func read(_ consumer: Consumer) throws(KafkaError) {
        var position = start
        while true {
            switch hub.replayWish(listener) {
            case .nothing: return
            case .pause:
                Thread.sleep(forTimeInterval: 0.02)
                continue
            case .more: break
            }
            guard let event = consumer.poll(timeout: .milliseconds(100)) else { continue }
            switch consume event {
            case .record(let record):
                _ = position.advance(past: record.offset, of: record.partition)
                if let outcome = decoder.outcome(record) { hub.replay(outcome, to: listener) }
            case .partitionEnd(let partition, let offset):
                // Transaction markers are no records, and count.
                _ = position.advance(past: offset - 1, of: partition.partition)
            case .error(let error, _):
                if error.kind == .fatal { throw error }
                hub.logger.debug("outcomes: \(error)")
            }
            hub.endReplay(listener, at: position)
        }
    }
}
