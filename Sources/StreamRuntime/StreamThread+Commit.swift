import KafkaClient
import Logging
import RocksStore

// The commit cycle. Kafka first, the stores after: a crash between the two leaves a store behind its changelog, never ahead, and the
// next start replays the difference. With at_least_once the order within Kafka is: everything that left the processors, then the
// changelog, then the offsets. So a changelog never says that something was told which was not.

extension StreamThread {
    /// Commits all running tasks of the thread.
    func commit() throws(StreamError) {
        let running = tasks.values.filter { $0.state == .running }
        try collector.flush()
        for task in running { try writeState(of: task) }
        try collector.flush()
        try commitOffsets(of: running)
        for task in running { try writeStore(of: task) }
        collector.committed()
        committed()
        application.health.succeeded(thread: number)
    }

    private func writeState(of task: StreamTask) throws(StreamError) {
        guard let state = task.source.state, let batch = task.batch, let processor = task.processor else { return }
        let writer = StateWriter(
            batch: batch,
            changelog: try collector.topic(state.changelog, lane: .output),
            collector: collector,
            partition: task.id.partition,
            opaque: task.opaque
        )
        try processor.writeState(writer)
    }

    private func commitOffsets(of running: [StreamTask]) throws(StreamError) {
        var offsets: [TopicPartition: Int64] = [:]
        for task in running {
            guard let position = task.position, position != task.committed else { continue }
            offsets[task.id.topicPartition] = position
        }
        if offsets.isEmpty { return }
        try withKafka { () throws(KafkaError) in try consumer.commit(offsets) }
        for task in running where offsets[task.id.topicPartition] != nil { task.committed = task.position }
        application.tasks.committed(offsets)
    }

    private func writeStore(of task: StreamTask) throws(StreamError) {
        guard let store = task.store, let batch = task.batch else { return }
        if batch.count > 0 {
            task.changelogOffset = max(task.changelogOffset, collector.changelogOffsets[task.opaque] ?? 0)
            try store.write(batch, changelogOffset: task.changelogOffset)
        }
        task.processor?.stateCommitted()
    }

    /// Goes back to what is committed: drops what the processors hold, restores the stores (the changelog may already hold more than
    /// they do), and seeks.
    func recover(from error: KafkaError) throws(StreamError) {
        logger.warning("thread \(number): going back to the last commit: \(error)")
        application.health.failed(thread: number, reason: "\(error)", isPermanent: error.kind == .permanent)
        dropUncommitted()
        if collector.fatalError != nil { collector = try StreamThread.makeCollector(application, number) }
        for task in tasks.values {
            try restorer.remove(task)
            application.tasks.update(task.id, state: .created, store: nil)
        }
        // Fails only for a partition that was just lost; then its revocation is on the way.
        try? consumer.pause(tasks.keys.map(\.topicPartition))
        application.waitUnlessStopping(seconds: 0.5)
    }

    /// Forgets all that is not committed; tasks have to be opened again.
    func dropUncommitted() {
        collector.discard()
        for task in tasks.values {
            task.processor = nil
            task.batch?.clear()
            task.state = .created
        }
    }

    /// The thread is about to end: drops everything without committing, so that others can take over.
    func abandon() {
        dropUncommitted()
        consumer.close()
    }
}
