"""How fast one worker folds a backlog, and at what cost: fills an input topic, then lets `serve` read all of it."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

import brokers
import sequences
from confluent_kafka import Consumer, Producer, TopicPartition
from message import rfc3339
from records import Topics
from tracker import Tracker, newest_executable

LIMITED = {"noida": 60_000}
MESSAGE_BYTES = 300
START_SECONDS = 120
LONGEST_SECONDS = 1800
TICKS = os.sysconf("SC_CLK_TCK")
BASE = 1_700_000_000_000_000


@dataclass
class Result:
    """What one run showed; times in seconds, sizes in bytes."""

    commit_interval: str
    seconds: float
    records: int
    cpu_seconds: float
    peak_rss: int
    rss_over_time: list[int]
    state_bytes: int

    def row(self) -> list[str]:
        quarters = [self.rss_over_time[len(self.rss_over_time) * part // 4] for part in (1, 2, 3)]
        return [
            self.commit_interval,
            f"{self.seconds:.1f}",
            f"{self.records / self.seconds:,.0f}",
            f"{self.cpu_seconds * 1e6 / self.records:.2f}",
            f"{self.cpu_seconds / self.seconds:.2f}",
            " ".join(f"{mebibytes(rss)}" for rss in [*quarters, self.rss_over_time[-1]]),
            f"{mebibytes(self.peak_rss)}",
            f"{mebibytes(self.state_bytes)}",
        ]


HEADINGS = [
    "commit.interval",
    "s",
    "records/s",
    "CPU µs/record",
    "cores",
    "RSS at ¼ ½ ¾ 1 MiB",
    "peak MiB",
    "state MiB",
]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="a broker that is already there")
    parser.add_argument("--broker", choices=("kafka", "noida"), help="the broker to start (default: as integration/)")
    parser.add_argument("--executable", type=Path, help="default: the newest of .build/release and .build/debug")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--open", type=int, default=5_000, help="payloads that are open at once in the input")
    parser.add_argument("--commit-interval", nargs="+", default=["100ms", "1s"], help="one run for each")
    parser.add_argument("--guarantee", default="at_least_once", choices=("at_least_once", "exactly_once"))
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", default=[], help="a setting more for the worker")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keeps logs and state")
    return parser.parse_args()


# Filling


def lifecycle() -> list[sequences.Step]:
    """The 17 messages of a RHEL upload, in the order of their dates."""
    steps = [step for step in sequences.rhel_upload() if step.service != "insights-engine"]
    return sorted(steps, key=lambda step: step.at)


def templates() -> list[bytes]:
    """A value for each step, with places for the id (twice) and the date, about MESSAGE_BYTES long when filled."""
    written = []
    for step in lifecycle():
        fields = {"request_id": "%(id)s", "payload_id": "%(id)s", "service": step.service, "status": step.status}
        fields |= {"status_msg": step.status_msg or "", "date": "%(date)s", **step.more}
        fields |= {"source": step.source} if step.source else {}
        length = len(json.dumps(fields)) + 64 + 27 - len("%(id)s%(id)s%(date)s") + len(', "cluster": ""')
        fields["cluster"] = "x" * max(0, MESSAGE_BYTES - length)
        written.append(json.dumps(fields).encode())
    return written


def fill(bootstrap: str, topic: str, options: argparse.Namespace) -> int:
    """Produces the lifecycles, payload after payload, each spread so that as many as asked for are open at once."""
    random, steps, values = Random(options.seed), lifecycle(), templates()
    payloads = [f"{random.getrandbits(128):032x}".encode() for _ in range(options.messages // len(steps) + 1)]
    gap = max(1, options.open // len(steps))
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "batch.size": 1 << 20,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 500_000,
            "log_level": 0,
        }
    )
    sent, tick = 0, 0
    while sent < options.messages:
        for number, step in enumerate(steps):
            payload = tick - number * gap
            if 0 <= payload < len(payloads) and sent < options.messages:
                date = rfc3339(BASE + payload * 1000 + round(step.at * 1_000_000)).encode()
                value = values[number] % {b"id": payloads[payload], b"date": date}
                produce(producer, topic, value, sent % options.partitions)
                sent += 1
        tick += 1
    if producer.flush(120):
        sys.exit("the input topic could not be filled")
    return sent


def produce(producer: Producer, topic: str, value: bytes, partition: int) -> None:
    while True:
        try:
            producer.produce(topic, value, partition=partition)
            return
        except BufferError:
            producer.poll(0.05)


def warm_up(bootstrap: str, topic: str, partitions: int, messages: int) -> None:
    """Reads the topic once, so that no run pays for a cold broker."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"warm-{topic}", "log_level": 0})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    read = 0
    while read < messages:
        found = consumer.consume(100_000, timeout=10)
        if not found:
            sys.exit(f"only {read} of {messages} messages are in the input topic")
        read += len(found)
    consumer.close()


# Measuring


class Process:
    """What /proc tells of the worker's process."""

    def __init__(self, pid: int):
        self.directory = Path(f"/proc/{pid}")

    def cpu_seconds(self) -> float:
        fields = (self.directory / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, name: str) -> int:
        for line in (self.directory / "status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
        return 0


class Progress:
    """How far the group has committed."""

    def __init__(self, bootstrap: str, group: str, input_topic: str, repartition: str, messages: int):
        self.topics = Topics(bootstrap)
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"watch-{group}", "log_level": 0})
        self.group, self.input, self.repartition, self.messages = group, input_topic, repartition, messages

    def committed(self) -> dict[tuple[str, int], int]:
        return self.topics.committed(self.group)

    def has_begun(self) -> bool:
        return any(self.committed().values())

    def is_done(self) -> bool:
        committed = self.committed()
        if sum(offset for (topic, _), offset in committed.items() if topic == self.input) < self.messages:
            return False
        partitions = range(self.topics.partition_counts()[self.repartition])
        return all(
            committed.get((self.repartition, partition), 0) >= self.end_of_repartition(partition)
            for partition in partitions
        )

    def end_of_repartition(self, partition: int) -> int:
        return self.consumer.get_watermark_offsets(TopicPartition(self.repartition, partition), timeout=20)[1]


def measure(options: argparse.Namespace, bootstrap: str, topic: str, directory: Path, commit_interval: str) -> Result:
    """One worker from its start to the moment when everything is committed."""
    application = f"bench-{os.getpid()}-{commit_interval}"
    directory.mkdir(parents=True)
    settings = {
        "kafka.bootstrap.servers": bootstrap,
        "application.id": application,
        "topics.input": topic,
        "topics.outcomes": f"{application}.outcomes",
        "topics.dead-letter": f"{application}.dead-letter",
        "topics.replication-factor": 1,
        "state.dir": directory / "state",
        "processing.guarantee": options.guarantee,
        "commit.interval": commit_interval,
        **dict(item.split("=", 1) for item in options.set),
    }
    progress = Progress(bootstrap, application, topic, f"{application}-status-repartition", options.messages)
    executable = (options.executable or newest_executable()).resolve()
    tracker = Tracker(executable, settings, directory / "serve.log")
    try:
        result = watch(tracker, progress, commit_interval)
        result.state_bytes = size_of(directory / "state")
        tracker.stop()
        return result
    finally:
        if tracker.is_running():
            tracker.kill()


def watch(tracker: Tracker, progress: Progress, commit_interval: str) -> Result:
    process = Process(tracker.process.pid)
    begun = lambda: tracker.status_of("/readyz") == 200 or progress.has_begun()
    tracker.wait_for(begun, "to begin", START_SECONDS)
    started, cpu_before, rss = time.monotonic(), process.cpu_seconds(), []
    while not progress.is_done():
        if not tracker.is_running() or time.monotonic() - started > LONGEST_SECONDS:
            sys.exit(f"the worker did not get to the end:\n{tracker.log_tail()}")
        rss.append(process.memory("VmRSS"))
        time.sleep(0.05)
    seconds, cpu = time.monotonic() - started, process.cpu_seconds() - cpu_before
    rss.append(process.memory("VmRSS"))
    return Result(commit_interval, seconds, progress.messages, cpu, process.memory("VmHWM"), rss, 0)


def size_of(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def mebibytes(size: int) -> int:
    return round(size / (1 << 20))


def print_table(rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in [HEADINGS, *rows]) for i in range(len(HEADINGS))]
    lines = [HEADINGS, ["-" * width for width in widths], *rows]
    for line in lines:
        print("| " + " | ".join(cell.rjust(width) for cell, width in zip(line, widths)) + " |")


def main() -> None:
    options = arguments()
    directory = Path(tempfile.mkdtemp(prefix="payload-tracker-benchmark-"))
    broker = brokers.choose(options.bootstrap, options.broker, directory)
    options.messages = min(options.messages, LIMITED.get(broker.kind, options.messages))
    topic = f"bench-{os.getpid()}-input"
    try:
        broker.start()
        Topics(broker.bootstrap).create(topic, options.partitions, retention_ms="-1")
        started = time.monotonic()
        fill(broker.bootstrap, topic, options)
        rate = options.messages / (time.monotonic() - started)
        print(
            f"{broker.kind}, {options.partitions} partitions, {options.guarantee}: {options.messages:,} messages of "
            f"about {MESSAGE_BYTES} bytes, {options.open:,} payloads open at once, filled at {rate:,.0f}/s",
            flush=True,
        )
        warm_up(broker.bootstrap, topic, options.partitions, options.messages)
        intervals = options.commit_interval
        print_table([measure(options, broker.bootstrap, topic, directory / name, name).row() for name in intervals])
    finally:
        broker.stop()
        if not options.keep:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
