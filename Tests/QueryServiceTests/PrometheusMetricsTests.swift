import Metrics
import QueryService
import Synchronization
import Testing

@Suite("Prometheus metrics")
struct PrometheusMetricsTests {
    let metrics = PrometheusMetrics()

    @Test("a counter's name and labels are what Prometheus accepts, whatever a producer put into a value")
    func counter() {
        let dimensions = [("the-reason", "a\"b\\c\nd"), ("1st", "ü")]
        let counter = Counter(label: "records.dead-lettered", dimensions: dimensions, factory: metrics)
        counter.increment()
        counter.increment(by: 2)
        #expect(
            metrics.exposition() == """
                # TYPE records_dead_lettered_total counter
                records_dead_lettered_total{_1st="ü",the_reason="a\\"b\\\\c\\nd"} 3

                """
        )
    }

    @Test(
        "one name with the same dimensions in any order is one series, as two threads that count the same thing need it"
    )
    func sameSeries() {
        Counter(label: "n", dimensions: [("a", "1"), ("b", "2")], factory: metrics).increment()
        Counter(label: "n", dimensions: [("b", "2"), ("a", "1")], factory: metrics).increment()
        FloatingPointCounter(label: "n", dimensions: [("a", "2")], factory: metrics).increment(by: 0.5)
        #expect(metrics.exposition() == "# TYPE n_total counter\nn_total{a=\"1\",b=\"2\"} 2\nn_total{a=\"2\"} 0.5\n")
    }

    @Test("a gauge goes up and down and shows any number")
    func gauge() {
        let meter = Meter(label: "lag", factory: metrics)
        meter.set(5)
        meter.increment(by: 2)
        meter.decrement(by: 4.5)
        #expect(metrics.exposition() == "# TYPE lag gauge\nlag 2.5\n")
        for (value, text) in [(.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"), (1e20, "1e+20"), (-3, "-3")] {
            meter.set(value as Double)
            #expect(metrics.exposition() == "# TYPE lag gauge\nlag \(text)\n")
        }
    }

    @Test("a timer is a histogram in seconds whose buckets add up")
    func timer() throws {
        let timer = Timer(label: "commit", dimensions: [("thread", "0")], factory: metrics)
        timer.recordNanoseconds(2_000_000)
        timer.recordNanoseconds(500_000_000)
        timer.recordNanoseconds(90_000_000_000)
        let lines = metrics.exposition().split(separator: "\n").map(String.init)
        #expect(lines.first == "# TYPE commit_seconds histogram")
        for line in [
            #"commit_seconds_bucket{thread="0",le="0.001"} 0"#, #"commit_seconds_bucket{thread="0",le="0.0025"} 1"#,
            #"commit_seconds_bucket{thread="0",le="0.5"} 2"#, #"commit_seconds_bucket{thread="0",le="60"} 2"#,
            #"commit_seconds_bucket{thread="0",le="+Inf"} 3"#, #"commit_seconds_sum{thread="0"} 90.502"#,
            #"commit_seconds_count{thread="0"} 3"#,
        ] {
            #expect(lines.contains(line))
        }
    }

    @Test("a recorder shows the last value or, when it aggregates, how the values are spread")
    func recorder() {
        let last = Recorder(label: "last", aggregate: false, factory: metrics)
        last.record(7)
        last.record(9)
        #expect(metrics.exposition() == "# TYPE last gauge\nlast 9\n")
        Recorder(label: "batch", aggregate: true, factory: metrics).record(50)
        let text = metrics.exposition()
        #expect(text.contains("batch_bucket{le=\"10\"} 0\nbatch_bucket{le=\"100\"} 1\n"))
        #expect(text.hasSuffix("last 9\n"))
    }

    @Test("two kinds under one name do not break the whole page")
    func clash() {
        Gauge(label: "wait_seconds", factory: metrics).record(1)
        Timer(label: "wait", factory: metrics).recordNanoseconds(1)
        Gauge(label: "wait_seconds", factory: metrics).record(2)
        let types = metrics.exposition().split(separator: "\n").filter { $0.hasPrefix("#") }
        #expect(types == ["# TYPE wait_seconds gauge", "# TYPE wait_seconds_histogram histogram"])
        #expect(metrics.exposition().contains("wait_seconds 2\n"))
    }

    @Test("no increment is lost when many threads count, make metrics and scrape at once")
    func concurrency() async {
        await withDiscardingTaskGroup { group in
            for task in 0..<8 {
                group.addTask { [metrics] in
                    for _ in 0..<1_000 { Counter(label: "n", factory: metrics).increment() }
                    Counter(label: "m", dimensions: [("task", "\(task)")], factory: metrics).increment()
                    _ = metrics.exposition()
                }
            }
        }
        let text = metrics.exposition()
        #expect(text.contains("\nn_total 8000\n"))
        #expect(text.split(separator: "\n").count { $0.hasPrefix("m_total{") } == 8)
    }

    @Test("what is read at a scrape is on the page as long as it is read, and no longer")
    func samples() async {
        let partitions = Mutex(["0": 5.0, "1": 7.0])
        Counter(label: "n", factory: metrics).increment()
        metrics.collect {
            partitions.withLock { $0 }.map { MetricSample(gauge: "lag", [("partition", $0.key)], value: $0.value) }
                + [MetricSample(counter: "read", value: 2.5)]
        }
        let rest = "# TYPE n_total counter\nn_total 1\n# TYPE read_total counter\nread_total 2.5\n"
        #expect(
            await metrics.scrape() == "# TYPE lag gauge\nlag{partition=\"0\"} 5\nlag{partition=\"1\"} 7\n" + rest
        )
        partitions.withLock { $0 = ["1": 0] }
        #expect(await metrics.scrape() == "# TYPE lag gauge\nlag{partition=\"1\"} 0\n" + rest)
    }

    @Test("/metrics reads them")
    func samplesOnThePage() async throws {
        let endpoint = Endpoint()
        endpoint.metrics.collect { [MetricSample(gauge: "lag", value: 3)] }
        #expect(try await endpoint.ask("/metrics").text.contains("lag 3\n"))
    }

    @Test("a timer whose values are long has buckets for them")
    func timerBounds() {
        let metrics = PrometheusMetrics(timerBounds: ["stage": [1, 3_600]])
        Timer(label: "stage", factory: metrics).recordSeconds(60)
        let page = metrics.exposition()
        #expect(page.contains("stage_seconds_bucket{le=\"1\"} 0\nstage_seconds_bucket{le=\"3600\"} 1\n"))
    }
}
