"""What the number of retained payloads does to cost, memory, disk, lookups and restore.

One worker's store is filled up to one size after another with payloads of a few messages each. At every size the same messages are measured:
first whole lifecycles of new payloads, which is what a worker does all day; then late messages for as many payloads as the smallest size has,
from all over the store, which are in no cache. So the work is the same and the store is not. Then the state is deleted and rebuilt."""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

import brokers
from confluent_kafka import TopicPartition
from fleet import restores_in
from message import rfc3339
from records import Topics
from tracker import Tracker, newest_executable

import throughput
from throughput import BASE, LONGEST_SECONDS, Process, Progress, Run, mebibytes
from workers import running_kafka

FILL_STEPS = (0, 6, 16)
"""Of the 17 messages of a lifecycle, those that a payload of the filling has."""
LATE_STEPS = (2, 4, 8, 10, 12, 14)
QUIET_CORES = 0.05
LOOK_SECONDS = 1
NOBODY_ASKS = 600


@dataclass
class Cost:
    """Of some messages, from the first that is sent until the worker is at rest."""

    records: int
    cpu_seconds: float
    disk_bytes: int

    def row(self) -> list[str]:
        return [f"{self.cpu_seconds * 1e6 / self.records:.1f}", f"{self.disk_bytes / self.records:,.0f}"]


@dataclass
class Size:
    """What one size showed; sizes in bytes, times in seconds."""

    payloads: int
    filling: Cost
    new: Cost
    late: Cost
    rss: int
    state_bytes: int
    lookup_seconds: float
    lookup_cpu_seconds: float
    restored: int = 0
    restore_seconds: float = 0
    restore_cpu_seconds: float = 0
    peak: int = 0

    def row(self) -> list[str]:
        return [
            f"{self.payloads:,}",
            *self.filling.row(),
            *self.new.row(),
            *self.late.row(),
            f"{mebibytes(self.rss)}",
            f"{mebibytes(self.state_bytes):,}",
            f"{self.state_bytes / self.payloads:,.0f}",
            f"{self.lookup_seconds * 1e6:,.0f}",
            f"{self.lookup_cpu_seconds * 1e6:,.0f}",
            f"{self.restored:,}",
            f"{self.restore_seconds:.1f}",
            f"{self.restore_cpu_seconds * 1e6 / self.payloads:.1f}",
            f"{mebibytes(self.peak)}",
        ]


HEADINGS = [
    "payloads",
    "CPU µs/filling record",
    "disk B/filling record",
    "CPU µs/record",
    "disk B/record",
    "CPU µs/late record",
    "disk B/late record",
    "RSS MiB",
    "state MiB",
    "state B/payload",
    "lookup µs",
    "CPU µs/lookup",
    "restored records",
    "restore s",
    "CPU µs/payload",
    "restore peak MiB",
]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="a Kafka that is already there")
    parser.add_argument("--executable", type=Path, help="default: the newest of .build/release and .build/debug")
    parser.add_argument("--payloads", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="the sizes")
    parser.add_argument("--messages", type=int, default=200_000, help="of either kind, measured at each size")
    parser.add_argument("--lookups", type=int, default=2_000, help="asked at each size")
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--open", type=int, default=5_000, help="payloads that are open at once in the input")
    parser.add_argument("--guarantee", default="exactly_once", choices=throughput.GUARANTEES)
    parser.add_argument("--commit-interval", default="1s")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", default=[], help="a setting more for the worker")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keeps logs and state")
    return parser.parse_args()


class Growth:
    """The worker and its topics."""

    def __init__(self, options: argparse.Namespace, broker: brokers.Broker, directory: Path):
        self.options, self.directory = options, directory
        self.broker = broker
        self.executable = (options.executable or newest_executable()).resolve()
        self.topic = f"growth-{os.getpid()}-input"
        self.topics = Topics(broker.bootstrap)
        run = Run(0, options.guarantee, options.commit_interval)
        self.settings = throughput.settings_of(options, broker.bootstrap, self.topic, directory, run)
        application = str(self.settings["application.id"])
        self.progress = Progress(
            broker.bootstrap, application, self.topic, f"{application}-status-repartition", messages=0
        )
        self.values = throughput.templates()
        self.ids = Random(options.seed)
        self.payloads: list[bytes] = []
        self.starts = 0
        self.topics.create(self.topic, options.partitions, retention_ms="-1", segment_bytes=str(64 << 20))
        self.tracker = self.start()

    # The worker

    def start(self) -> Tracker:
        self.starts += 1
        tracker = Tracker(self.executable, self.settings, self.directory / f"serve-{self.starts}.log")
        tracker.wait_until_ready(LONGEST_SECONDS)
        self.process = Process(tracker.process.pid)
        return tracker

    def stop(self) -> None:
        if self.tracker.is_running():
            self.tracker.stop()

    def wait_until_folded(self) -> None:
        started = time.monotonic()
        while not self.progress.is_done():
            if not self.tracker.is_running() or time.monotonic() - started > LONGEST_SECONDS:
                sys.exit(f"the worker did not get to the end:\n{self.tracker.log_tail()}")
            time.sleep(0.1)

    def wait_until_quiet(self) -> None:
        """Timers, settling and compaction are over."""
        for _ in range(NOBODY_ASKS):
            before = self.process.cpu_seconds()
            time.sleep(LOOK_SECONDS)
            if self.process.cpu_seconds() - before < QUIET_CORES * LOOK_SECONDS:
                return
        sys.exit("the worker does not come to rest")

    # The traffic

    def new_payload(self) -> int:
        self.payloads.append(b"%032x" % self.ids.getrandbits(128))
        return len(self.payloads) - 1

    def value(self, payload: int, step: int) -> bytes:
        date = rfc3339(BASE + payload * 1000 + step * 1_000_000).encode()
        return self.values[step] % {b"id": self.payloads[payload], b"date": date}

    def filling(self, size: int) -> Iterator[bytes]:
        while len(self.payloads) < size:
            payload = self.new_payload()
            for step in FILL_STEPS:
                yield self.value(payload, step)

    def lifecycles(self) -> Iterator[bytes]:
        new = [self.new_payload() for _ in range(self.options.messages // len(self.values))]
        for payload, step in throughput.order(len(new), self.options.open):
            yield self.value(new[payload], step)

    def late(self) -> Iterator[bytes]:
        """Messages of payloads that were there, some for each."""
        payloads = self.ids.sample(range(len(self.payloads)), min(self.options.payloads))
        for number in range(self.options.messages):
            yield self.value(self.ids.choice(payloads), LATE_STEPS[number % len(LATE_STEPS)])

    def send(self, values: Iterator[bytes]) -> int:
        producer = throughput.filler(self.broker.bootstrap)
        sent = 0
        for sent, value in enumerate(values, 1):
            throughput.produce(producer, self.topic, value, sent % self.options.partitions)
        if producer.flush(120):
            sys.exit("the input topic could not be filled")
        self.progress.messages += sent
        return sent

    def fill(self, size: int) -> Cost:
        cost = self.cost(self.filling(size))
        committed = self.progress.committed()
        done = [TopicPartition(*place, offset) for place, offset in committed.items() if place[0] == self.topic]
        for deleted in self.topics.admin.delete_records(done).values():
            deleted.result()
        return cost

    # Measuring

    def cost(self, values: Iterator[bytes]) -> Cost:
        cpu, written = self.process.cpu_seconds(), self.process.written()
        records = self.send(values)
        self.wait_until_folded()
        self.wait_until_quiet()
        return Cost(records, self.process.cpu_seconds() - cpu, self.process.written() - written)

    def measure(self, filling: Cost) -> Size:
        there = len(self.payloads)
        new, late = self.cost(self.lifecycles()), self.cost(self.late())
        rss, state = self.process.memory("VmRSS"), throughput.size_of(self.directory / "state")
        lookup, lookup_cpu = self.look_up()
        return Size(there, filling, new, late, rss, state, lookup, lookup_cpu)

    def look_up(self) -> tuple[float, float]:
        """Median time and mean CPU of a lookup, one after another, of payloads from all over the store."""
        times, cpu = [], self.process.cpu_seconds()
        for _ in range(self.options.lookups):
            path = f"/v1/payloads/{self.payloads[self.ids.randrange(len(self.payloads))].decode()}"
            started = time.monotonic()
            if (status := self.tracker.request(path).status) != 200:
                sys.exit(f"{path} was answered with {status}")
            times.append(time.monotonic() - started)
        return statistics.median(times), (self.process.cpu_seconds() - cpu) / self.options.lookups

    def rebuild(self, size: Size) -> None:
        self.stop()
        shutil.rmtree(self.settings["state.dir"])
        self.tracker = self.start()
        size.restore_cpu_seconds, size.peak = self.process.cpu_seconds(), self.process.memory("VmHWM")
        restores = restores_in(self.tracker.log_text())
        size.restored = sum(restore.records for restore in restores)
        size.restore_seconds = max(restore.seconds for restore in restores)


def main() -> None:
    options = arguments()
    with running_kafka(options.bootstrap, "growth", options.keep) as (broker, directory):
        growth = Growth(options, broker, directory)
        try:
            sizes = []
            for payloads in sorted(options.payloads):
                size = growth.measure(growth.fill(payloads))
                growth.rebuild(size)
                sizes.append(size)
                throughput.print_table(HEADINGS, [size.row() for size in sizes])
        finally:
            growth.stop()


if __name__ == "__main__":
    main()
