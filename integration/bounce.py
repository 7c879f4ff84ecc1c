"""Bounces the members of a consumer group against a broker, with one assignor or several, and measures what they do.

Every assignor gets its own topic, group, members and steady traffic, and the same plan of bounces; they run at the same
time, so that a busy machine is equally busy for all. `+static` gives the members a `group.instance.id`, `+transactions`
lets them commit their offsets within transactions (KIP-447), as the tracker does with `exactly_once`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

from confluent_kafka import Consumer, Producer, TopicPartition, libversion
from confluent_kafka.admin import AdminClient, NewTopic

import brokers
from bounce_life import Life
from bounce_measures import Disturbance, Measures, table

SESSION_SECONDS = 6
TRANSACTION_SECONDS = 10
DRAIN_SECONDS = 60
ANSWER_SECONDS = 30
# Bounces come for this long, then none for this long: who still rebalances in the end of that does it without a cause.
BUSY_SECONDS = 40
QUIET_SECONDS = 25
SETTLE_SECONDS = 12
MEMBER = Path(__file__).with_name("bounce_member.py")


@dataclass
class Bounce:
    """What happens to a member: `close` and `kill` start it again after `length` seconds, `stop` freezes it for as long
    (SIGSTOP), `add` starts one more and closes it after them."""

    at: float
    kind: str
    slot: int
    length: float


def make_plan(random: Random, seconds: float, members: int) -> list[Bounce]:
    """Bounces in the order of their time. Two may overlap, but some member is always left alone."""
    plan: list[Bounce] = []
    busy_until = [0.0] * (members + 1)  # The last slot is for members that are added.
    busy_from, at = 8.0, 8.0
    while at < seconds:
        if at > busy_from + BUSY_SECONDS:
            busy_from = at = max(at, *busy_until) + QUIET_SECONDS
            continue
        kind = random.choices(["close", "kill", "stop", "add"], [4, 4, 1, 2])[0]
        free = [slot for slot in range(members) if busy_until[slot] <= at]
        if kind == "add":
            free = [members] if busy_until[members] <= at else []
        elif len(free) < 2:
            free = []
        if free:
            short, long = random.uniform(0.2, 3), random.uniform(SESSION_SECONDS + 1, SESSION_SECONDS + 4)
            away = random.choice([short, short, short, long])
            length = {"add": random.uniform(0.3, 12), "stop": long}.get(kind, away)
            slot = random.choice(free)
            plan.append(Bounce(at, kind, slot, length))
            busy_until[slot] = at + length + 1
        at += random.uniform(0.5, 10)
    return [bounce for bounce in plan if bounce.at + bounce.length < seconds]


class Traffic(threading.Thread):
    """Produces evenly to all partitions, in small bursts."""

    def __init__(self, bootstrap: str, topic: str, partitions: int, rate: int):
        super().__init__(daemon=True)
        self.producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5})
        self.topic, self.partitions, self.rate = topic, partitions, rate
        self.is_over = threading.Event()

    def run(self) -> None:
        started, sent = time.monotonic(), 0
        while not self.is_over.wait(0.05):
            while sent < (time.monotonic() - started) * self.rate:
                self.producer.produce(self.topic, b"%d" % sent, partition=sent % self.partitions)
                sent += 1
            self.producer.poll(0)
        self.producer.flush(ANSWER_SECONDS)

    def stop(self) -> None:
        self.is_over.set()
        self.join()


class Run:
    """One assignor with its group."""

    def __init__(self, variant: str, plan: list[Bounce], options: argparse.Namespace, directory: Path):
        self.variant = variant
        self.assignor, *extras = variant.split("+")
        self.is_static = "static" in extras
        self.has_transactions = "transactions" in extras
        self.plan = plan
        self.options = options
        self.directory = directory / variant
        self.directory.mkdir()
        self.name = f"bounce-{os.getpid()}-{int(time.time())}-{variant.replace('+', '-')}"
        self.lives: list[Life] = []
        self.slots: dict[int, Life] = {}
        # A close may take longer than the plan thinks; two of a slot at once would fence each other.
        self.slot_locks = [threading.Lock() for _ in range(options.members + 1)]
        self.disturbances: list[Disturbance] = []
        self.log_ends: dict[int, int] = {}
        self.committed: dict[int, int] = {}
        self.started = self.ended = 0.0

    def run(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.options.bootstrap})
        topics = [NewTopic(self.name, self.options.partitions, 1), NewTopic(f"{self.name}-results", 1, 1)]
        for created in admin.create_topics(topics).values():
            created.result(ANSWER_SECONDS)
        traffic = Traffic(self.options.bootstrap, self.name, self.options.partitions, self.options.rate)
        try:
            traffic.start()
            self.bounce_all()
            traffic.stop()
            self.drain()
            self.ended = time.monotonic()
        finally:
            for life in self.lives:
                if life.process.poll() is None:
                    life.close()
            for deleted in admin.delete_topics([topic.topic for topic in topics]).values():
                deleted.result(ANSWER_SECONDS)

    def bounce_all(self) -> None:
        self.started = time.monotonic()
        for slot in range(self.options.members):
            self.start(slot)
        bounces = [threading.Thread(target=self.bounce, args=[bounce], daemon=True) for bounce in self.plan]
        for bounce, thread in zip(self.plan, bounces):
            time.sleep(max(0.0, self.started + bounce.at - time.monotonic()))
            thread.start()
        time.sleep(max(0.0, self.started + self.options.minutes * 60 - time.monotonic()))
        for thread in bounces:
            thread.join()
        time.sleep(QUIET_SECONDS)

    def bounce(self, bounce: Bounce) -> None:
        with self.slot_locks[bounce.slot]:
            self.bounce_locked(bounce)

    def bounce_locked(self, bounce: Bounce) -> None:
        began = time.monotonic()
        life = self.slots.get(bounce.slot)
        if bounce.kind == "add":
            self.start(bounce.slot)
            time.sleep(bounce.length)
            self.slots[bounce.slot].close()
        elif life is None or life.process.poll() is not None:
            self.start(bounce.slot)  # It died without our doing; its exit code tells of it.
        elif bounce.kind == "stop":
            life.stop(bounce.length)
        else:
            life.close() if bounce.kind == "close" else life.kill()
            time.sleep(bounce.length)
            self.start(bounce.slot)
        self.disturbances.append(Disturbance(bounce.kind, began, time.monotonic()))

    def start(self, slot: int) -> None:
        log = self.directory / f"{slot}-{len(self.lives):03}.log"
        settings = {
            "bootstrap.servers": self.options.bootstrap,
            "group.id": self.name,
            "client.id": f"{self.name}-{slot}",
            "session.timeout.ms": SESSION_SECONDS * 1000,
            "heartbeat.interval.ms": SESSION_SECONDS * 100,
        }
        if self.is_static:
            settings["group.instance.id"] = f"{self.name}-{slot}"
        producer_settings = {
            "bootstrap.servers": self.options.bootstrap,
            "transactional.id": f"{self.name}-{slot}",
            "transaction.timeout.ms": TRANSACTION_SECONDS * 1000,
        }
        given = {
            "topic": self.name,
            "assignor": self.assignor,
            "settings": settings,
            "producer_settings": producer_settings if self.has_transactions else None,
            "log": str(log),
        }
        self.slots[slot] = Life([sys.executable, str(MEMBER), json.dumps(given)], log)
        self.lives.append(self.slots[slot])

    def drain(self) -> None:
        """Until all that was produced is committed, or too long has passed."""
        reader = Consumer({"bootstrap.servers": self.options.bootstrap, "group.id": self.name})
        partitions = [TopicPartition(self.name, partition) for partition in range(self.options.partitions)]
        for partition in partitions:
            self.log_ends[partition.partition] = reader.get_watermark_offsets(partition, timeout=ANSWER_SECONDS)[1]
        deadline = time.monotonic() + DRAIN_SECONDS
        while self.committed != self.log_ends and time.monotonic() < deadline:
            time.sleep(0.5)
            found = reader.committed(partitions, timeout=ANSWER_SECONDS)
            self.committed = {partition.partition: max(0, partition.offset) for partition in found}
        reader.close()

    def measured(self) -> Measures:
        times = (self.started, self.ended)
        return Measures(self.lives, self.disturbances, self.log_ends, self.committed, times, SETTLE_SECONDS)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="a broker that is there; else one of KAFKA_HOME")
    parser.add_argument(
        "--assignor", nargs="+", default=["range", "cooperative-sticky"], metavar="NAME[+static][+transactions]"
    )
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--rate", type=int, default=200, help="records a second, to each assignor's topic")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats a plan of bounces")
    parser.add_argument("--keep", action="store_true", help="keeps the logs of the members")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    directory = Path(tempfile.mkdtemp(prefix="payload-tracker-bounce-"))
    broker = brokers.choose(options.bootstrap, None if options.bootstrap else "kafka", directory)
    broker.start()
    try:
        options.bootstrap = broker.bootstrap
        plan = make_plan(Random(options.seed), options.minutes * 60, options.members)
        print(
            f"librdkafka {libversion()[0]} on {broker.bootstrap}, seed {options.seed}: {len(plan)} bounces of"
            f" {options.members} members in {options.minutes:g} minutes, {options.partitions} partitions,"
            f" {options.rate} records/s, session timeout {SESSION_SECONDS} s; logs: {directory}\n",
            flush=True,
        )
        runs = [Run(variant, plan, options, directory) for variant in options.assignor]
        with ThreadPoolExecutor(len(runs)) as pool:
            for started in [pool.submit(run.run) for run in runs]:
                started.result()
        print(table({run.variant: run.measured() for run in runs}))
    finally:
        broker.stop()
        if not options.keep:
            brokers.remove(directory)


if __name__ == "__main__":
    main()
