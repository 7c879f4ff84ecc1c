"""How long an outcome takes: traffic at a steady rate, from the moment a message is sent to the moment when a read_committed consumer has
the outcome that it brought about. The tracker and its peers one after the other, on topics of their own, after a run that only warms the
broker up."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import threading
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

from confluent_kafka import Consumer, Producer, TopicPartition
from message import date_of_text, rfc3339
from records import Topics

import throughput
from peers import chosen_workers
from throughput import GUARANTEES, START_SECONDS, Process, mebibytes
from workers import Job, Progress, Running, find_coordinator, parser_of, running_kafka

HEADINGS = ["worker", "guarantee", "outcomes", "p50 ms", "p90 ms", "p99 ms", "max ms", "CPU µs/record", "peak MiB"]
BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
BAR = 50
QUIET_SECONDS = 4
LATE_SECONDS = 1
# So many messages in a row go to one partition, as with Java's producer: librdkafka sends a request for each partition, and the broker
# would spend more on those of the traffic than on the worker's.
STICKY = 20


@dataclass
class Result:
    """One worker under the traffic; latencies in milliseconds, sorted."""

    worker: str
    guarantee: str
    latencies: list[float]
    cpu_per_record: float
    peak_rss: int

    def quantile(self, share: float) -> float:
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]

    def row(self) -> list[str]:
        quantiles = [self.quantile(share) for share in (0.5, 0.9, 0.99, 1)]
        return [
            self.worker,
            self.guarantee,
            f"{len(self.latencies):,}",
            *(f"{quantile:.0f}" for quantile in quantiles),
            f"{self.cpu_per_record:.1f}",
            str(mebibytes(self.peak_rss)),
        ]

    def histogram(self) -> str:
        counts = [0] * (len(BOUNDS) + 1)
        for latency in self.latencies:
            counts[next((i for i, bound in enumerate(BOUNDS) if latency < bound), len(BOUNDS))] += 1
        names = [f"< {bound}" for bound in BOUNDS] + [f"≥ {BOUNDS[-1]}"]
        shown = [i for i, count in enumerate(counts) if count]
        lines = [f"{self.worker}, {self.guarantee} (ms)"]
        for i in range(shown[0], shown[-1] + 1):
            share = counts[i] / len(self.latencies)
            lines.append(f"{names[i]:>7} {share:7.2%} {'█' * round(share * BAR)}")
        return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = parser_of(__doc__, beside="floor,floor-batched,streams-plain")
    parser.add_argument("--rate", type=int, default=2000, help="messages a second")
    parser.add_argument("--seconds", type=float, default=60, help="what is measured")
    parser.add_argument("--warm-up", type=float, default=10, metavar="SECONDS", help="traffic before, not measured")
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--open", type=int, default=1_000, help="payloads that are open at once")
    parser.add_argument("--commit-interval", type=int, default=100, metavar="MS", help="of all workers")
    parser.add_argument("--linger", type=int, default=2, metavar="MS", help="of the floor's producers")
    parser.add_argument("--guarantee", nargs="+", default=list(GUARANTEES), choices=GUARANTEES, help="runs for each")
    parser.add_argument(
        "--set", action="append", metavar="KEY=VALUE", default=[], help="a setting more for the tracker"
    )
    parser.add_argument("--rounds", type=int, default=1, help="runs of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keeps logs and state")
    return parser.parse_args()


class Traffic(threading.Thread):
    """Sends lifecycles evenly; each message is dated with the moment when it is sent."""

    def __init__(self, bootstrap: str, topic: str, options: argparse.Namespace):
        super().__init__(daemon=True)
        self.topic, self.options = topic, options
        self.producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 2, "log_level": 0})
        self.messages = round(options.rate * (options.warm_up + options.seconds))
        self.late = 0.0

    def run(self) -> None:
        values = throughput.templates()
        ids = throughput.payload_ids(self.options.seed, self.messages // len(values) + 1)
        pairs = itertools.islice(throughput.order(len(ids), self.options.open), self.messages)
        started = time.monotonic()
        for sent, (payload, number) in enumerate(pairs):
            early = started + sent / self.options.rate - time.monotonic()
            if early > 0:
                time.sleep(early)
            date = rfc3339(time.time_ns() // 1000).encode()
            value = values[number] % {b"id": ids[payload], b"date": date}
            partition = sent // STICKY % self.options.partitions
            throughput.produce(self.producer, self.topic, value, partition)
            self.producer.poll(0)
        self.late = time.monotonic() - started - self.messages / self.options.rate
        self.producer.flush(30)


class Outcomes:
    """What a read_committed consumer sees of an outcomes topic, and when."""

    def __init__(self, bootstrap: str, topic: str, partitions: int):
        self.consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"outcomes-{topic}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 10,
                "log_level": 0,
            }
        )
        self.consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
        self.seen: list[tuple[int, int]] = []  # when it was sent and when it was seen, in microseconds since 1970

    def read(self, seconds: float) -> bool:
        """Takes the next outcome; false if there was none for so long."""
        message = self.consumer.poll(seconds)
        if message is None:
            return False
        if message.error():
            sys.exit(f"the outcomes could not be read: {message.error()}")
        seen = time.time_ns() // 1000
        self.seen.append((date_of_text(json.loads(message.value())["ended_at"]), seen))
        return True


def measure(worker, job: Job, options: argparse.Namespace) -> Result:
    Topics(job.bootstrap).create(job.input, job.partitions)
    find_coordinator(job.bootstrap, job.input)
    traffic = Traffic(job.bootstrap, job.input, options)
    progress = Progress(job, traffic.messages)
    running = worker.start(job)
    try:
        progress.wait_for(running, progress.has_partitions, "given its partitions", START_SECONDS)
        outcomes = Outcomes(job.bootstrap, job.outcomes, job.partitions)
        process, first = Process(running.process.pid), time.time_ns() // 1000 + round(options.warm_up * 1e6)
        cpu = under(traffic, outcomes, process, running, options.warm_up)
        peak = process.memory("VmHWM")
        if traffic.late > LATE_SECONDS:
            print(f"the traffic for {worker.name} was {traffic.late:.1f} s late: the machine is too busy", flush=True)
    finally:
        running.stop()
    latencies = sorted((seen - sent) / 1000 for sent, seen in outcomes.seen if sent >= first)
    if not latencies:
        sys.exit(f"{worker.name} told no outcome:\n{running.log_tail()}")
    per_record = cpu * 1e6 / (options.rate * options.seconds)
    return Result(worker.name, job.guarantee, latencies, per_record, peak)


def under(traffic: Traffic, outcomes: Outcomes, process: Process, running: Running, warm_up: float) -> float:
    """Reads outcomes while the traffic lasts and until no more come; the worker's CPU seconds from the warm-up to the last message."""
    traffic.start()
    warm_at, cpu_before, cpu_after = time.monotonic() + warm_up, 0.0, 0.0
    while (is_sending := traffic.is_alive()) | outcomes.read(QUIET_SECONDS):
        running.check()
        if is_sending:
            cpu_after = process.cpu_seconds()
            if time.monotonic() < warm_at:
                cpu_before = cpu_after
    return cpu_after - cpu_before


def job_of(options: argparse.Namespace, bootstrap: str, directory: Path, name: str, guarantee: str) -> Job:
    application = f"latency-{os.getpid()}-{name.replace('_', '-')}"
    return Job(
        bootstrap=bootstrap,
        application=application,
        input=f"{application}.input",
        partitions=options.partitions,
        directory=directory / application,
        guarantee=guarantee,
        commit_ms=options.commit_interval,
        tells_completed=True,
        linger_ms=options.linger,
        settings=tuple(tuple(item.split("=", 1)) for item in options.set),
    )


def main() -> None:
    options = arguments()
    workers = chosen_workers(options.executable, options.beside)
    results = []
    with running_kafka(options.bootstrap, "latency", options.keep) as (broker, directory):
        print(
            f"{options.partitions} partitions: {options.rate:,} messages/s for {options.seconds:.0f} s after "
            f"{options.warm_up:.0f} s, {options.open:,} payloads open at once, commits every {options.commit_interval} ms",
            flush=True,
        )
        warm_up = argparse.Namespace(**{**vars(options), "seconds": 1})
        measure(workers[0], job_of(options, broker.bootstrap, directory, "warm-up", options.guarantee[0]), warm_up)
        for number, guarantee, worker in product(range(options.rounds), options.guarantee, workers):
            job = job_of(options, broker.bootstrap, directory, f"{number}-{guarantee}-{worker.name}", guarantee)
            results.append(measure(worker, job, options))
            print("  ".join(results[-1].row()), flush=True)
        print()
        throughput.print_table(HEADINGS, [result.row() for result in results])
        for result in results:
            print(f"\n{result.histogram()}")


if __name__ == "__main__":
    main()
