"""Records in and out of topics, and what the broker tells about topics and groups."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic

ANSWER_SECONDS = 30
LARGEST_MESSAGE = 8 << 20


@dataclass(frozen=True)
class Record:
    """A record as it lies in a topic; `timestamp` in milliseconds."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp: int

    @property
    def json(self) -> dict:
        return json.loads(self.value)

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name]
        return found[-1].decode() if found and found[-1] is not None else None


def record_of(message: Message) -> Record:
    return Record(
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        tuple(message.headers() or ()),
        message.timestamp()[1],
    )


class Sender:
    """Produces records and keeps what the broker said became of them."""

    def __init__(self, bootstrap: str):
        self.producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "log_level": 0,
                "linger.ms": 5,
                "message.max.bytes": LARGEST_MESSAGE,
                "enable.idempotence": True,
            }
        )
        self.delivered: list[Record] = []
        self.problems: list[str] = []

    def send(self, topic: str, value: bytes | None, partition: int = -1, key=None, headers=(), timestamp_ms=0) -> None:
        while True:
            try:
                self.producer.produce(
                    topic,
                    value=value,
                    key=key,
                    partition=partition,
                    headers=list(headers),
                    timestamp=timestamp_ms or int(time.time() * 1000),
                    on_delivery=partial(self.on_delivery, tuple(headers)),
                )
                break
            except BufferError:
                self.producer.poll(0.1)
        self.producer.poll(0)

    def on_delivery(self, headers: tuple, error, message: Message) -> None:
        """Keeps what became of a record; its headers are not in the report."""
        if error:
            self.problems.append(str(error))
        elif message.offset() < 0:
            self.problems.append("a record was acknowledged and has no offset: nobody knows whether it was written")
        else:
            self.delivered.append(replace(record_of(message), headers=headers))

    def flush(self) -> list[Record]:
        """Waits for all that was sent; gives every record sent so far with its partition and offset."""
        left = self.producer.flush(ANSWER_SECONDS)
        if left or self.problems:
            raise RuntimeError(f"the runner could not produce: {left} left, {self.problems[:3]}")
        return self.delivered


class Reader:
    """All records of a topic from its start, transactions that were not committed left out."""

    def __init__(self, bootstrap: str, topic: str, isolation: str = "read_committed"):
        self.consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "log_level": 0,
                "group.id": f"reader-of-{topic}",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": isolation,
                "fetch.wait.max.ms": 50,
                "fetch.message.max.bytes": LARGEST_MESSAGE,
            }
        )
        partitions = self.consumer.list_topics(topic, timeout=ANSWER_SECONDS).topics[topic].partitions
        self.consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
        self.records: list[Record] = []
        self.not_at_end = set(partitions)

    def read(self, seconds: float, enough: Callable[[list[Record]], bool] = lambda _: False) -> list[Record]:
        """Reads until there is enough or the time is over; gives everything read so far."""
        deadline = time.monotonic() + seconds
        while not enough(self.records):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            for message in self.consumer.consume(1000, timeout=min(left, 0.2)):
                self.take(message)
        return self.records

    def take(self, message: Message) -> None:
        error = message.error()
        if error is None:
            self.not_at_end.add(message.partition())
            self.records.append(record_of(message))
        elif error.code() == KafkaError._PARTITION_EOF:
            self.not_at_end.discard(message.partition())
        else:
            raise RuntimeError(f"the runner could not consume: {error}")

    def read_to_end(self) -> list[Record]:
        """Everything that is there now, for a reader that has just begun."""
        records = self.read(ANSWER_SECONDS, lambda _: not self.not_at_end)
        if self.not_at_end:
            raise RuntimeError(f"the runner did not reach the end of {len(self.not_at_end)} partitions")
        return records

    def read_at_least(self, count: int, seconds: float) -> list[Record]:
        return self.read(seconds, lambda records: len(records) >= count)

    def close(self) -> None:
        self.consumer.close()


class Topics:
    """The broker's administration, as far as the scenarios need it."""

    def __init__(self, bootstrap: str):
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def create(self, name: str, partitions: int, **config: str) -> None:
        dotted = {key.replace("_", "."): value for key, value in config.items()}
        new = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dotted)
        self.admin.create_topics([new])[name].result(ANSWER_SECONDS)
        self.wait_for(lambda: name in self.partition_counts(), f"topic {name}")

    def add_partitions(self, name: str, partitions: int) -> None:
        self.admin.create_partitions([NewPartitions(name, partitions)])[name].result(ANSWER_SECONDS)
        self.wait_for(lambda: self.partition_counts()[name] == partitions, f"{partitions} partitions of {name}")

    def partition_counts(self) -> dict[str, int]:
        topics = self.admin.list_topics(timeout=ANSWER_SECONDS).topics
        return {name: len(topic.partitions) for name, topic in topics.items()}

    def config(self, name: str) -> dict[str, str]:
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)
        entries = self.admin.describe_configs([resource])[resource].result(ANSWER_SECONDS)
        return {key: entry.value for key, entry in entries.items()}

    def configure(self, name: str, settings: dict[str, str]) -> None:
        """Sets these; the topic's other settings stay as they are."""
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in settings.items()
        ]
        resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=entries)
        self.admin.incremental_alter_configs([resource])[resource].result(ANSWER_SECONDS)

    def delete(self, *names: str) -> None:
        for future in self.admin.delete_topics(list(names)).values():
            future.result(ANSWER_SECONDS)

    def committed(self, group: str) -> dict[tuple[str, int], int]:
        """The group's committed offsets by topic and partition."""
        request = ConsumerGroupTopicPartitions(group)
        answer = self.admin.list_consumer_group_offsets([request])[group].result(ANSWER_SECONDS)
        return {(p.topic, p.partition): p.offset for p in answer.topic_partitions if p.offset >= 0}

    @staticmethod
    def wait_for(condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + ANSWER_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the broker never showed {what}")
            time.sleep(0.1)
