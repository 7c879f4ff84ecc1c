"""How fast one worker folds a backlog, and at what cost: fills an input topic, then lets `serve` read all of it.

Runs of the inputs, guarantees, stream threads and commit intervals alternate, so that what else the machine does falls on all of them alike."""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

import brokers
import sequences
from confluent_kafka import Consumer, Producer, TopicPartition
from message import rfc3339
from records import Topics
from tracker import Tracker, newest_executable

GUARANTEES = ("at_least_once", "exactly_once")
# By payload id: then there is no hop to a repartition topic.
INPUTS = {"unkeyed": False, "keyed": True}
LIMITED = {"noida": 60_000}
MESSAGE_BYTES = 300
START_SECONDS = 120
LONGEST_SECONDS = 1800
TICKS = os.sysconf("SC_CLK_TCK")
BASE = 1_700_000_000_000_000
# librdkafka's word for: by the key.
PARTITION_UA = -1


@dataclass(frozen=True)
class Run:
    """One worker over the whole input."""

    number: int
    guarantee: str
    commit_interval: str
    is_keyed: bool = False
    stream_threads: int = 1


@dataclass
class Result:
    """What one run showed; times in seconds, sizes in bytes."""

    run: Run
    seconds: float
    records: int
    cpu_seconds: float
    peak_rss: int
    rss_over_time: list[int]
    state_bytes: int
    disk_bytes: int
    """Written to the disk by the worker's process."""
    kafka_bytes: int | None
    """Of the topics that the worker wrote, as they lie in the broker's log; None: the broker is not ours."""

    def rate(self) -> float:
        return self.records / self.seconds

    def cpu_per_record(self) -> float:
        """Microseconds."""
        return self.cpu_seconds * 1e6 / self.records

    def row(self) -> list[str]:
        kafka = "" if self.kafka_bytes is None else f"{self.kafka_bytes / self.records:.0f}"
        quarters = [self.rss_over_time[len(self.rss_over_time) * part // 4] for part in (1, 2, 3)]
        return [
            "keyed" if self.run.is_keyed else "unkeyed",
            self.run.guarantee,
            f"{self.run.stream_threads}",
            self.run.commit_interval,
            f"{self.seconds:.1f}",
            f"{self.rate():,.0f}",
            f"{self.cpu_per_record():.2f}",
            f"{self.cpu_seconds / self.seconds:.2f}",
            " ".join(f"{mebibytes(rss)}" for rss in [*quarters, self.rss_over_time[-1]]),
            f"{mebibytes(self.peak_rss)}",
            f"{mebibytes(self.state_bytes)}",
            kafka,
            f"{self.disk_bytes / self.records:.0f}",
        ]


HEADINGS = [
    "input",
    "guarantee",
    "threads",
    "commit.interval",
    "s",
    "records/s",
    "CPU µs/record",
    "cores",
    "RSS at ¼ ½ ¾ 1 MiB",
    "peak MiB",
    "state MiB",
    "Kafka B/record",
    "disk B/record",
]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="a broker that is already there")
    parser.add_argument("--broker", choices=("kafka", "noida"), help="the broker to start (default: as integration/)")
    parser.add_argument("--executable", type=Path, help="default: the newest of .build/release and .build/debug")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--open", type=int, default=5_000, help="payloads that are open at once in the input")
    parser.add_argument("--commit-interval", nargs="+", default=["100ms", "1s"], help="runs for each")
    parser.add_argument("--guarantee", nargs="+", default=list(GUARANTEES), choices=GUARANTEES, help="runs for each")
    parser.add_argument("--stream-threads", type=int, nargs="+", default=[1], help="runs for each")
    parser.add_argument("--input", nargs="+", default=["unkeyed"], choices=INPUTS, help="runs for each")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each kind")
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


def filler(bootstrap: str) -> Producer:
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "batch.size": 1 << 20,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 500_000,
            "partitioner": "murmur2_random",
            "log_level": 0,
        }
    )


def fill(bootstrap: str, topic: str, options: argparse.Namespace, is_keyed: bool = False) -> None:
    """Produces the lifecycles, payload after payload, each spread so that as many as asked for are open at once."""
    steps, values = lifecycle(), templates()
    payloads = payload_ids(options.seed, math.ceil(options.messages / len(steps)))
    producer = filler(bootstrap)
    for sent, (payload, number) in enumerate(order(len(payloads), options.open)):
        if sent == options.messages:
            break
        date = rfc3339(BASE + payload * 1000 + round(steps[number].at * 1_000_000)).encode()
        value = values[number] % {b"id": payloads[payload], b"date": date}
        if is_keyed:
            produce(producer, topic, value, key=payloads[payload])
        else:
            produce(producer, topic, value, sent % options.partitions)
    if producer.flush(120):
        sys.exit("the input topic could not be filled")


def payload_ids(seed: int, count: int) -> list[bytes]:
    random = Random(seed)
    return [f"{random.getrandbits(128):032x}".encode() for _ in range(count)]


def order(payloads: int, open_at_once: int) -> Iterator[tuple[int, int]]:
    """The messages as pairs of payload and step, each payload spread so that so many are open at once."""
    steps = len(lifecycle())
    gap = max(1, open_at_once // steps)
    for tick in range(payloads + gap * steps):
        for number in range(steps):
            if 0 <= (payload := tick - number * gap) < payloads:
                yield payload, number


def produce(
    producer: Producer, topic: str, value: bytes, partition: int = PARTITION_UA, key: bytes | None = None
) -> None:
    """To the partition, or to the key's."""
    while True:
        try:
            producer.produce(topic, value, key, partition=partition)
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

    def written(self) -> int:
        """Bytes that it has had written to disks, also those that are still in the page cache."""
        lines = (self.directory / "io").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


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
        partitions = range(self.topics.partition_counts().get(self.repartition, 0))
        return all(
            committed.get((self.repartition, partition), 0) >= self.end_of_repartition(partition)
            for partition in partitions
        )

    def end_of_repartition(self, partition: int) -> int:
        return self.consumer.get_watermark_offsets(TopicPartition(self.repartition, partition), timeout=20)[1]


def measure(options: argparse.Namespace, broker: brokers.Broker, topic: str, directory: Path, run: Run) -> Result:
    """One worker from its start to the moment when everything is committed."""
    bootstrap = broker.bootstrap
    settings = settings_of(options, bootstrap, topic, directory, run)
    application = settings["application.id"]
    directory.mkdir(parents=True)
    progress = Progress(bootstrap, application, topic, f"{application}-status-repartition", options.messages)
    executable = (options.executable or newest_executable()).resolve()
    tracker = Tracker(executable, settings, directory / "serve.log")
    try:
        result = watch(tracker, progress, run)
        result.state_bytes = size_of(directory / "state")
        result.kafka_bytes = bytes_in_topics(broker, application)
        tracker.stop()
        return result
    finally:
        if tracker.is_running():
            tracker.kill()


def settings_of(
    options: argparse.Namespace, bootstrap: str, topic: str, directory: Path, run: Run
) -> dict[str, object]:
    """The worker's settings; each run has an application of its own."""
    application = f"bench-{os.getpid()}-{run.number}"
    return {
        "kafka.bootstrap.servers": bootstrap,
        "application.id": application,
        "topics.input": topic,
        "topics.outcomes": f"{application}.outcomes",
        "topics.dead-letter": f"{application}.dead-letter",
        "topics.replication-factor": 1,
        "state.dir": directory / "state",
        "processing.guarantee": run.guarantee,
        "commit.interval": run.commit_interval,
        "stream.threads": run.stream_threads,
        "input.keyed-by-payload-id": "true" if run.is_keyed else "false",
        **dict(item.split("=", 1) for item in options.set),
    }


def watch(tracker: Tracker, progress: Progress, run: Run) -> Result:
    process = Process(tracker.process.pid)
    begun = lambda: tracker.status_of("/readyz") == 200 or progress.has_begun()
    tracker.wait_for(begun, "to begin", START_SECONDS)
    started, cpu_before, rss, written = time.monotonic(), process.cpu_seconds(), [], process.written()
    while not progress.is_done():
        if not tracker.is_running() or time.monotonic() - started > LONGEST_SECONDS:
            sys.exit(f"the worker did not get to the end:\n{tracker.log_tail()}")
        rss.append(process.memory("VmRSS"))
        time.sleep(0.05)
    seconds, cpu = time.monotonic() - started, process.cpu_seconds() - cpu_before
    rss.append(process.memory("VmRSS"))
    written = process.written() - written
    return Result(run, seconds, progress.messages, cpu, process.memory("VmHWM"), rss, 0, written, None)


def bytes_in_topics(broker: brokers.Broker, prefix: str) -> int | None:
    """Of the records in all topics whose names begin so, as the broker has stored them; None where it is none of ours."""
    if broker.kind != "kafka":
        return None
    return sum(log.stat().st_size for log in (broker.directory / "data").glob(f"{prefix}*/*.log"))


def price(results: list[Result], of: Run) -> str:
    """What exactly_once costs: medians over the rounds, as a share of at_least_once."""

    def median(guarantee: str, figure: Callable[[Result], float]) -> float:
        kind = replace(of, number=0, guarantee=guarantee)
        chosen = [result for result in results if replace(result.run, number=0) == kind]
        return statistics.median(map(figure, chosen))

    loose, exact = GUARANTEES
    rate = median(exact, Result.rate) / median(loose, Result.rate)
    cpu = median(exact, Result.cpu_per_record) / median(loose, Result.cpu_per_record)
    return (
        f"{'keyed' if of.is_keyed else 'unkeyed'}, {of.stream_threads} stream threads, {of.commit_interval}: exactly_once has {rate:.0%} "
        f"of at_least_once's records/s, and {cpu:.0%} of its CPU a record"
    )


def size_of(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def mebibytes(size: int) -> int:
    return round(size / (1 << 20))


def print_table(headings: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    lines = [headings, ["-" * width for width in widths], *rows]
    for line in lines:
        print("| " + " | ".join(cell.rjust(width) for cell, width in zip(line, widths)) + " |")


def main() -> None:
    options = arguments()
    directory = Path(tempfile.mkdtemp(prefix="payload-tracker-benchmark-"))
    broker = brokers.choose(options.bootstrap, options.broker, directory)
    options.messages = min(options.messages, LIMITED.get(broker.kind, options.messages))
    topics = {name: f"bench-{os.getpid()}-input-{name}" for name in options.input}
    try:
        broker.start()
        for name, topic in topics.items():
            Topics(broker.bootstrap).create(topic, options.partitions, retention_ms="-1")
            started = time.monotonic()
            fill(broker.bootstrap, topic, options, INPUTS[name])
            rate = options.messages / (time.monotonic() - started)
            print(
                f"{broker.kind}, {options.partitions} partitions: {options.messages:,} {name} messages of "
                f"about {MESSAGE_BYTES} bytes, {options.open:,} payloads open at once, filled at {rate:,.0f}/s",
                flush=True,
            )
            warm_up(broker.bootstrap, topic, options.partitions, options.messages)
        results = []
        for number, (_, name, threads, interval, guarantee) in enumerate(
            product(range(options.rounds), topics, options.stream_threads, options.commit_interval, options.guarantee)
        ):
            run = Run(number, guarantee, interval, INPUTS[name], threads)
            results.append(measure(options, broker, topics[name], directory / str(number), run))
        print_table(HEADINGS, [result.row() for result in results])
        if len(options.guarantee) == len(GUARANTEES):
            kinds = dict.fromkeys(replace(result.run, number=0, guarantee="") for result in results)
            print("\n".join(price(results, kind) for kind in kinds))
    finally:
        broker.stop()
        if not options.keep:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
