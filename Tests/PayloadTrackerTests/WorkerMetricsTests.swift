import Foundation
import PayloadTopology
import QueryService
import StreamRuntime
import Testing

@testable import PayloadTracker

/// Alerts and dashboards read these: one that is not moved is an alert that never fires.
@Suite(.timeLimit(.minutes(3))) struct WorkerMetricsTests {
    @Test("what has no worker under it yet says that it is not ready, and which program it is")
    func beforeTheStart() async {
        let settings = Settings()
        let application = StreamApplication(settings)
        let metrics = PrometheusMetrics()
        metrics.collect(WorkerMetrics(application: application, settings: settings).samples)
        let page = await metrics.scrape()
        for line in [
            #"payload_tracker_build_info{version="\#(Version.current)"} 1"#, "payload_tracker_healthy 1",
            "payload_tracker_ready 0", #"payload_tracker_stream_threads{state="alive"} 0"#,
            #"payload_tracker_stream_threads{state="dead"} 0"#,
            #"payload_tracker_stream_threads{state="stalled"} 0"#, "# TYPE process_start_time_seconds gauge",
        ] {
            #expect(page.contains(line + "\n"))
        }
        #expect(!page.contains("payload_tracker_lag_records"))
    }

    @Test("a worker shows its threads, its stores, and the lag of exactly the partitions that it has")
    func running() async throws {
        let worker = try EmbeddedWorker(partitions: 2)
        defer { worker.close() }
        let (application, settings) = (worker.application, worker.settings)
        let metrics = PrometheusMetrics()
        metrics.collect(WorkerMetrics(application: application, settings: settings).samples)
        let running = Task { try await application.run() }
        let partitions = (0..<2).flatMap { partition in
            [settings.topics.input, settings.topics.repartition].map {
                #"payload_tracker_lag_records{partition="\#(partition)",topic="\#($0)"} 0"#
            }
        }
        let expected =
            partitions + [
                "payload_tracker_ready 1", "payload_tracker_rocksdb_open_stores 2",
                #"payload_tracker_stream_threads{state="alive"} \#(settings.streamThreads)"#,
            ]
        var page = ""
        let deadline = ContinuousClock.now + .seconds(120)
        repeat {
            try await Task.sleep(for: .milliseconds(100))
            page = await metrics.scrape()
        } while !expected.allSatisfy { page.contains($0 + "\n") } && ContinuousClock.now < deadline
        for line in expected { #expect(page.contains(line + "\n")) }
        for counter in ["written_bytes", "write_stall_seconds", "block_cache_hits", "block_cache_misses"] {
            #expect(page.contains("# TYPE payload_tracker_rocksdb_\(counter)_total counter\n"))
        }
        let written = try #require(value("payload_tracker_rocksdb_written_bytes_total", on: page))
        #expect(written > 0)
        #expect(try #require(value("payload_tracker_rocksdb_memory_used_bytes", on: page)) > 0)
        application.requestStop()
        try await running.value
        page = await metrics.scrape()
        #expect(!page.contains("payload_tracker_lag_records{"), "lag of partitions that others have now")
        // A counter that went back would look like a restart.
        #expect(try #require(value("payload_tracker_rocksdb_written_bytes_total", on: page)) >= written)
        #expect(value("payload_tracker_rocksdb_open_stores", on: page) == 0)
    }

    private func value(_ name: String, on page: String) -> Double? {
        page.split(separator: "\n").first { $0.hasPrefix(name + " ") }.flatMap { Double($0.dropFirst(name.count + 1)) }
    }

    @Test("the chart installs the version that the program says it is")
    func version() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let chart = try String(
            contentsOf: root.appending(path: "deploy/helm/payload-tracker/Chart.yaml"),
            encoding: .utf8
        )
        #expect(chart.contains("appVersion: \"\(Version.current)\"\n"))
    }
}
