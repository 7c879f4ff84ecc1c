import Foundation
import NIOPosix
import PayloadTopology
import QueryService
import RocksStore
import StreamRuntime

/// What `/metrics` says of the worker that nobody counts: it is read when Prometheus asks.
struct WorkerMetrics: Sendable {
    let application: StreamApplication
    let health: WorkerHealth
    /// Those that records are read from.
    let topics: [String]
    private let startedAt = Date()

    init(application: StreamApplication, settings: Settings) {
        self.application = application
        health = WorkerHealth(application: application)
        let payloadTopic = PayloadTopology.payloadTopic(
            settings.topics,
            isInputKeyed: settings.inputKeyedByPayloadID
        )
        topics = Set([settings.topicsInput, payloadTopic]).sorted()
    }

    func samples() async -> [MetricSample] {
        let figures = try? await NIOThreadPool.singleton.runIfActive { [application] in application.storeFigures }
        return process + threads + topics.flatMap(lag) + (figures.flatMap { $0 }.map(WorkerMetrics.stores) ?? [])
    }

    private var process: [MetricSample] {
        [
            MetricSample(gauge: "payload_tracker_build_info", [("version", Version.current)], value: 1),
            MetricSample(gauge: "process_start_time_seconds", value: startedAt.timeIntervalSince1970),
            MetricSample(gauge: "payload_tracker_healthy", value: health.health.healthy ? 1 : 0),
            MetricSample(gauge: "payload_tracker_ready", value: health.readiness.ready ? 1 : 0),
        ]
    }

    private var threads: [MetricSample] {
        let counts = application.health.threads
        return [("alive", counts.alive), ("stalled", counts.stalled), ("dead", counts.dead)].map { state, count in
            MetricSample(gauge: "payload_tracker_stream_threads", [("state", state)], value: Double(count))
        }
    }

    /// Of the partitions that this instance has, as far as the lag is known.
    private func lag(_ topic: String) -> [MetricSample] {
        application.tasks.progress(topic: topic).compactMap { partition, progress in
            guard let lag = progress.lag else { return nil }
            return MetricSample(
                gauge: "payload_tracker_lag_records",
                [("topic", topic), ("partition", "\(partition)")],
                value: Double(lag)
            )
        }
    }

    private static func stores(_ figures: StoreFigures) -> [MetricSample] {
        let done = figures.statistics
        let stallSeconds = Double(done.writeStallMicroseconds) / 1e6
        let pendingBytes = Double(figures.pendingCompactionBytes)
        return [
            MetricSample(gauge: "payload_tracker_rocksdb_open_stores", value: Double(figures.openStores)),
            MetricSample(gauge: "payload_tracker_rocksdb_memory_used_bytes", value: Double(figures.memoryUsedBytes)),
            MetricSample(gauge: "payload_tracker_rocksdb_pending_compaction_bytes", value: pendingBytes),
            MetricSample(gauge: "payload_tracker_rocksdb_live_data_bytes", value: Double(figures.liveDataBytes)),
            MetricSample(gauge: "payload_tracker_rocksdb_table_file_bytes", value: Double(figures.tableFileBytes)),
            MetricSample(counter: "payload_tracker_rocksdb_block_cache_hits", value: Double(done.blockCacheHits)),
            MetricSample(counter: "payload_tracker_rocksdb_block_cache_misses", value: Double(done.blockCacheMisses)),
            MetricSample(counter: "payload_tracker_rocksdb_written_bytes", value: Double(done.bytesWritten)),
            MetricSample(counter: "payload_tracker_rocksdb_flush_written_bytes", value: Double(done.flushBytesWritten)),
            MetricSample(
                counter: "payload_tracker_rocksdb_compaction_read_bytes",
                value: Double(done.compactionBytesRead)
            ),
            MetricSample(
                counter: "payload_tracker_rocksdb_compaction_written_bytes",
                value: Double(done.compactionBytesWritten)
            ),
            MetricSample(counter: "payload_tracker_rocksdb_write_stall_seconds", value: stallSeconds),
        ]
    }
}

extension PrometheusMetrics {
    /// With buckets for what takes from an instant to hours.
    static func ofWorker() -> PrometheusMetrics {
        let bounds = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 21_600]
        return PrometheusMetrics(timerBounds: [
            "payload_tracker_end_to_end_latency": bounds, "payload_tracker_stage_duration": bounds,
        ])
    }
}
