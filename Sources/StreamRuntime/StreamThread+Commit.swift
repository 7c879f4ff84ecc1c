import KafkaClient
import Logging
import Metrics
import RocksStore

// The commit cycle. Kafka first, the stores after: a crash between the two leaves a store behind its changelog, never ahead, and the
// next start replays the difference (KIP-892).
//
// With exactly_once changelog, outcomes, dead letters and offsets are one transaction. With at_least_once the order within Kafka is:
// everything that left the processors, then the changelog, then the offsets. So a changelog never says that something was told
// which was not. Records of the repartition lane are acknowledged before the offsets either way.

extension StreamThread {
    /// Commits all running tasks of the thread.
    func commit() throws(StreamError) {
        guard let collector else { return }
        let began = hasUncommitted ? monotonicSeconds() : nil
        let running = tasks.values.filter { $0.state == .running }
        try reached(.begun)
        if !collector.isTransactional { try collector.flush() }
        phases.spent(on: .flush)
        for task in running { try writeState(of: task, collector) }
        phases.spent(on: .encode)
        try collector.flush()
        phases.spent(on: .flush)
        try reached(.produced)
        try commitOffsets(of: running, collector)
        phases.spent(on: .offsets)
        try reached(.committed)
        for task in running {
            try writeStore(of: task, collector)
            // It may be the task's last commit.
            task.publishCount()
        }
        phases.spent(on: .store)
        phases.publish()
        collector.committed()
        committed(took: began.map { monotonicSeconds() - $0 })
    }

    private func reached(_ step: CommitStep) throws(StreamError) { try application.settings.onCommitStep(step) }

    private func writeState(of task: StreamTask, _ collector: RecordCollector) throws(StreamError) {
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

    private func commitOffsets(of running: [StreamTask], _ collector: RecordCollector) throws(StreamError) {
        // Nobody may hear from a member that the group has given up.
        if consumer.isAssignmentLost { throw .kafka(KafkaError(.assignmentLost)) }
        var offsets: [TopicPartition: Int64] = [:]
        for task in running {
            guard let position = task.position, position != task.committed else { continue }
            offsets[task.id.topicPartition] = position
        }
        if collector.isTransactional {
            // Also where only timers fired: the offsets are what the group's coordinator judges the member by (KIP-447).
            if offsets.isEmpty && collector.hasTransaction { offsets = try anyPosition(of: running) }
            if !offsets.isEmpty {
                guard let group = consumer.groupMetadata() else { throw .kafka(KafkaError(.assignmentLost)) }
                try collector.sendOffsets(offsets, group: group)
            }
            try reached(.offsetsSent)
            try collector.commitTransaction()
        } else if !offsets.isEmpty {
            try withKafka { () throws(KafkaError) in try consumer.commit(offsets) }
        }
        for task in running where offsets[task.id.topicPartition] != nil { task.committed = task.position }
        application.tasks.committed(offsets)
    }

    private func anyPosition(of running: [StreamTask]) throws(StreamError) -> [TopicPartition: Int64] {
        for task in running {
            if let position = task.position { return [task.id.topicPartition: position] }
        }
        throw .kafka(KafkaError(.inProgress, "no task knows its position yet", kind: .abortable))
    }

    private func writeStore(of task: StreamTask, _ collector: RecordCollector) throws(StreamError) {
        guard let store = task.store, let batch = task.batch else { return }
        if batch.count > 0 {
            if let logged = collector.changelogOffset(task.opaque), logged > task.changelogOffset {
                task.changelogOffset = logged
                try store.write(batch, changelogOffset: logged, isTransaction: collector.isTransactional)
            } else {
                try store.write(batch)
            }
            try reached(.stored)
        }
        task.processor?.stateCommitted()
    }

    /// Goes back to what is committed: drops what the processors hold, and makes everything anew that may have had a part in it. Stores
    /// catch up with their changelogs, which may hold more than they do, and tasks seek to the committed offsets.
    func recover(from error: KafkaError) {
        commitFailures.increment()
        logger.warning("thread \(number): going back to the last commit: \(error)")
        if error.kind != .retriable { application.health.failed(thread: number, reason: "\(error)") }
        dropUncommitted()
        retryAt = monotonicSeconds() + retryDelay
        retryDelay = min(retryDelay * 2, StreamThread.longestRetryDelay)
    }

    /// Forgets all that is not committed; tasks that ran have to be opened again. Does not wait for long, so that a rebalance callback may
    /// call it.
    func dropUncommitted() {
        let dropped = tasks.values.filter { $0.state == .running || isStranded($0) }
        for task in dropped {
            task.processor = nil
            task.batch?.clear()
            task.state = .created
            application.tasks.update(task, state: .created)
        }
        // Fails only for a partition that was just lost; then its revocation is on the way.
        try? consumer.pause(dropped.map(\.id.topicPartition))
        // At once, so that others need not wait until the transaction times out; the rest has time until the next step.
        collector?.abortTransaction()
        if let collector { spentCollectors.append(collector) }
        collector = nil
    }

    /// Something failed between its restore and its start.
    func isStranded(_ task: StreamTask) -> Bool { task.state == .restoring && !restorer.isRestoring(task) }

    /// The thread is about to end: drops everything without committing, so that others can take over.
    func abandon() {
        dropUncommitted()
        for task in tasks.values { application.stores.close(task) }
        consumer.close()
        restorer.close()
    }
}
