"""One member of the bounced group, a process of its own: does with its consumer what the tracker's StreamThread does.

New partitions are paused, opened outside the callback, sought to what is committed and resumed; offsets are committed by
hand or within a transaction, every 150 ms and before partitions are handed over; after a commit that failed everything
goes back to the last one.
What happens goes to a log, one JSON object a line, with the machine's monotonic clock, written at once: a kill -9 loses
nothing of it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

COMMIT_SECONDS = 0.15
ANSWER_SECONDS = 5
SEEK_SECONDS = 10
RETRY_SECONDS = 0.25
LONGEST_RETRY_SECONDS = 10
RECORDS_BETWEEN_COMMITS = 64
FATAL_EXIT = 3


class Log:
    def __init__(self, path: Path):
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, kind: str, **details) -> None:
        line = json.dumps({"time": time.monotonic(), "kind": kind, **details})
        os.write(self.file, line.encode() + b"\n")


@dataclass
class Task:
    """A partition that is assigned; it runs once it was opened and sought."""

    opens_at: float
    is_running: bool = False
    position: int | None = None
    committed: int | None = None


class Member:
    def __init__(self, topic: str, assignor: str, settings: dict, producer_settings: dict | None, log: Log):
        self.topic = topic
        self.producer_settings = producer_settings
        # None without transactions, and after one that failed until it is made anew.
        self.producer: Producer | None = None
        self.is_cooperative = assignor.startswith("cooperative")
        self.log = log
        self.random = Random()
        self.tasks: dict[int, Task] = {}
        self.is_stopping = False
        self.commit_at = 0.0
        self.retry_delay = RETRY_SECONDS
        self.consumer = Consumer(
            {
                "partition.assignment.strategy": assignor,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 100,
                "queued.min.messages": 100_000,
                "socket.nagle.disable": True,
                "statistics.interval.ms": 1000,
                "stats_cb": self.statistics,
                **settings,
            }
        )

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self.stop)
        self.consumer.subscribe([self.topic], on_assign=self.assigned, on_revoke=self.revoked, on_lost=self.lost)
        while not self.is_stopping:
            if self.prepare_producer():
                self.open_tasks()
            self.poll()
            if time.monotonic() >= self.commit_at and not self.commit():
                self.postpone(self.go_back())
        self.log.write("closing")
        self.consumer.close()
        self.log.write("closed")

    def stop(self, *_) -> None:
        self.is_stopping = True

    def statistics(self, text: str) -> None:
        group = json.loads(text).get("cgrp", {})
        self.log.write("group", rebalances=group.get("rebalance_cnt", 0), state=group.get("join_state"))

    # Rebalances

    def assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            if self.is_cooperative:
                consumer.incremental_assign(partitions)
            else:
                consumer.assign(partitions)
        except KafkaException as error:
            self.failed("assign", error)
        opens_at = time.monotonic() + self.random.uniform(0.02, 0.2)
        for partition in partitions:
            self.tasks[partition.partition] = Task(opens_at)
        self.log.write("assigned", partitions=[partition.partition for partition in partitions])
        try:
            consumer.pause(partitions)
        except KafkaException as error:
            self.failed("pause", error)

    def revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if not self.commit():
            self.go_back()
        self.let_go("revoked", consumer, partitions)

    def lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.let_go("lost", consumer, partitions)
        self.go_back()

    def let_go(self, kind: str, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            self.tasks.pop(partition.partition, None)
        self.log.write(kind, partitions=[partition.partition for partition in partitions])
        try:
            if self.is_cooperative:
                consumer.incremental_unassign(partitions)
            else:
                consumer.unassign()
        except KafkaException as error:
            self.failed("unassign", error)

    # Tasks

    def named(self, partitions: list[int]) -> list[TopicPartition]:
        return [TopicPartition(self.topic, partition) for partition in partitions]

    def open_tasks(self) -> None:
        now = time.monotonic()
        created = [partition for partition, task in self.tasks.items() if not task.is_running and task.opens_at <= now]
        if not created:
            return
        try:
            for found in self.consumer.committed(self.named(created), timeout=ANSWER_SECONDS):
                if found.error:
                    raise KafkaException(found.error)
                self.start(found.partition, found.offset if found.offset >= 0 else None, asked=now)
        except KafkaException as error:
            self.failed("open", error)
            self.postpone(created)

    def start(self, partition: int, committed: int | None, asked: float) -> None:
        self.consumer.resume(self.named([partition]))
        self.seek(TopicPartition(self.topic, partition, OFFSET_BEGINNING if committed is None else committed))
        task = self.tasks[partition]
        task.committed = task.position = committed
        task.is_running = True
        self.log.write("start", asked=asked, offsets={partition: committed or 0})

    def seek(self, partition: TopicPartition) -> None:
        deadline = time.monotonic() + SEEK_SECONDS
        while True:
            try:
                return self.consumer.seek(partition)
            except KafkaException as error:
                # Its fetcher has not started: the committed offset is still being looked up.
                if error.args[0].code() != KafkaError._STATE or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def go_back(self) -> list[int]:
        """To what is committed, with everything that ran: what was in the commit that failed is not known to be done."""
        ran = [partition for partition, task in self.tasks.items() if task.is_running]
        for partition in ran:
            self.tasks[partition].is_running = False
        try:
            self.consumer.pause(self.named(ran))
        except KafkaException:
            pass  # One of them was just lost; then its revocation is on the way.
        return ran

    def postpone(self, partitions: list[int]) -> None:
        for partition in partitions:
            self.tasks[partition].opens_at = time.monotonic() + self.retry_delay
        self.retry_delay = min(self.retry_delay * 2, LONGEST_RETRY_SECONDS)

    # Records

    def poll(self) -> None:
        wait = 0.1
        for _ in range(RECORDS_BETWEEN_COMMITS):
            message = self.consumer.poll(min(wait, max(0.0, self.commit_at - time.monotonic())))
            if message is None:
                return
            wait = 0.0
            if message.error():
                self.failed("poll", KafkaException(message.error()))
                if message.error().fatal():
                    os._exit(FATAL_EXIT)
            else:
                self.process(message)

    def process(self, message: Message) -> None:
        task = self.tasks.get(message.partition())
        if task is None or not task.is_running:
            return
        offset = message.offset()
        if task.position is not None and offset < task.position:
            self.log.write("old", partition=message.partition(), offset=offset, position=task.position)
            return
        if offset > (task.position or 0):
            self.log.write("jump", partition=message.partition(), offset=offset, position=task.position)
        task.position = offset + 1
        delay = time.time() - message.timestamp()[1] / 1000
        self.log.write("record", partition=message.partition(), offset=offset, delay=round(delay, 3))

    def prepare_producer(self) -> bool:
        if self.producer_settings and not self.producer:
            try:
                producer = Producer(self.producer_settings)
                producer.init_transactions(ANSWER_SECONDS)
                self.producer = producer
            except KafkaException as error:
                self.failed("init", error)
                return False
        return True

    def commit(self) -> bool:
        asked = time.monotonic()
        self.commit_at = asked + COMMIT_SECONDS
        moved = {
            partition: task
            for partition, task in self.tasks.items()
            if task.is_running and task.position != task.committed
        }
        if not moved:
            return True
        offsets = [TopicPartition(self.topic, partition, task.position) for partition, task in moved.items()]
        try:
            if self.producer:
                self.commit_transaction(self.producer, offsets)
            else:
                for answer in self.consumer.commit(offsets=offsets, asynchronous=False):
                    if answer.error:
                        raise KafkaException(answer.error)
        except KafkaException as error:
            self.failed("commit", error)
            return False
        for task in moved.values():
            task.committed = task.position
        self.retry_delay = RETRY_SECONDS
        self.log.write("commit", asked=asked, offsets={partition: task.committed for partition, task in moved.items()})
        return True

    def commit_transaction(self, producer: Producer, offsets: list[TopicPartition]) -> None:
        try:
            producer.begin_transaction()
            producer.produce(f"{self.topic}-results", b"%d" % len(offsets))
            producer.send_offsets_to_transaction(offsets, self.consumer.consumer_group_metadata(), ANSWER_SECONDS)
            producer.commit_transaction(ANSWER_SECONDS)
        except KafkaException:
            # A producer whose transaction failed is not trusted with the next one.
            self.producer = None
            try:
                producer.abort_transaction(ANSWER_SECONDS)
            except KafkaException as error:
                self.failed("abort", error)
            raise

    def failed(self, what: str, error: KafkaException) -> None:
        self.log.write("failed", what=what, code=error.args[0].name(), reason=error.args[0].str())


def main() -> None:
    options = json.loads(sys.argv[1])
    log = Log(Path(options["log"]))
    Member(options["topic"], options["assignor"], options["settings"], options["producer_settings"], log).run()


if __name__ == "__main__":
    main()
