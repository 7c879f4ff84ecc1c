import KafkaClient
import Logging
import Metrics
import RocksStore

// Called inside poll and close, so they do the least: commit, and hand over. Stores are opened and closed elsewhere.

extension StreamThread: RebalanceListener {
    func partitionsAssigned(_ partitions: [TopicPartition]) {
        application.ownership.rebalanced()
        rebalances.increment()
        forgetHandles()
        for partition in partitions {
            let id = TaskID(topic: partition.topic, partition: partition.partition)
            guard let source = application.topology.sources.first(where: { $0.topic == partition.topic }) else {
                continue
            }
            let task = StreamTask(id: id, source: source)
            tasks[id] = task
            application.tasks.assigned(task)
        }
        // Only now: whoever has joined and has no task that waits counts as ready.
        application.health.joined(thread: number)
        logger.info("thread \(number): assigned \(partitions.map(\.description).sorted().joined(separator: ", "))")
        do throws(KafkaError) { try consumer.pause(partitions) } catch { callbackError = .kafka(error) }
    }

    func partitionsRevoked(_ partitions: [TopicPartition], lost: Bool) {
        application.health.left(thread: number)
        var isStoreFailed = false
        do throws(StreamError) {
            if lost { throw .kafka(KafkaError(.assignmentLost)) }
            try commit()
        } catch {
            commitFailures.increment()
            logger.warning("thread \(number): could not commit before handing over: \(error)")
            // Ends the transaction at once, so that the next owner need not wait for it to time out.
            dropUncommitted()
            if case .store = error { isStoreFailed = true }
            if case .kafka = error {} else { callbackError = error }
        }
        for partition in partitions {
            let id = TaskID(topic: partition.topic, partition: partition.partition)
            guard let task = tasks.removeValue(forKey: id) else { continue }
            restorer.remove(task)
            task.processor = nil
            // RocksDB refuses writes after an error until it is opened again.
            if isStoreFailed { application.stores.close(task) } else { application.stores.release(task) }
            application.tasks.remove(task)
        }
        forgetHandles()
        logger.info(
            "thread \(number): \(lost ? "lost" : "revoked") \(partitions.map(\.description).sorted().joined(separator: ", "))"
        )
    }
}
