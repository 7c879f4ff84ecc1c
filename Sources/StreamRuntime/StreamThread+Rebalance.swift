import KafkaClient
import Logging
import RocksStore

// Called inside poll and close, so they do the least: commit, and hand over. Stores are opened and closed elsewhere.

extension StreamThread: RebalanceListener {
    func partitionsAssigned(_ partitions: [TopicPartition]) {
        application.health.joined(thread: number)
        forgetHandles()
        for partition in partitions {
            let id = TaskID(topic: partition.topic, partition: partition.partition)
            guard let source = application.topology.sources.first(where: { $0.topic == partition.topic }) else {
                continue
            }
            tasks[id] = StreamTask(id: id, source: source)
            application.tasks.update(id, state: .created, store: nil)
        }
        logger.info("thread \(number): assigned \(partitions.map(\.description).sorted().joined(separator: ", "))")
        do throws(KafkaError) { try consumer.pause(partitions) } catch { callbackError = .kafka(error) }
    }

    func partitionsRevoked(_ partitions: [TopicPartition], lost: Bool) {
        if lost {
            collector.discard()
        } else {
            do throws(StreamError) {
                try commit()
            } catch {
                logger.warning("thread \(number): could not commit before handing over: \(error)")
                collector.discard()
                if case .kafka = error {} else { callbackError = error }
            }
        }
        for partition in partitions {
            let id = TaskID(topic: partition.topic, partition: partition.partition)
            guard let task = tasks.removeValue(forKey: id) else { continue }
            do throws(StreamError) { try restorer.remove(task) } catch { callbackError = error }
            task.processor = nil
            if task.store != nil { application.stores.release(id) }
            application.tasks.remove(id)
        }
        forgetHandles()
        logger.info(
            "thread \(number): \(lost ? "lost" : "revoked") \(partitions.map(\.description).sorted().joined(separator: ", "))"
        )
    }
}
