"""The topics that the worker creates, uses and guards."""

from __future__ import annotations

import json

import sequences
from app import App
from checks import Checks, documents_converge, models_of
from message import Rules
from partitioner import partition_of
from records import Sender
from scenarios import Context, scenario
from scenarios.bad_input import read_dead_letters
from tracker import Tracker

BASE = 1_700_000_000_000_000


def send_some(app: App, keyed: bool = False) -> None:
    for make in sequences.SEQUENCES.values():
        payload_id = sequences.new_id(app.random)
        key = payload_id.encode() if keyed else None
        partition = partition_of(payload_id.encode(), app.partitions) if keyed else None
        for value in sequences.message_values(payload_id, make(), BASE, app.random):
            app.send(value, partition, key=key)


@scenario("topics", "transactions")
def internal_topics(context: Context) -> None:
    """Other clients could not find a payload's partition, or the broker would delete or keep what it must not."""
    app = context.app(partitions=6).create_input()
    send_some(app)
    payloads, _ = models_of(app.sender.flush(), Rules())
    tracker = app.start().wait_until_ready()
    checks = Checks()
    checks.extend(documents_converge(app, tracker, list(payloads.values())))
    records = app.read(app.changelog).read(2)
    checks.equal("payloads in the changelog", {r.key.decode() for r in records}, set(payloads))
    for record in records:
        checks.equal(f"partition of {record.key}", record.partition, partition_of(record.key, app.partitions))
        checks.that(record.value is not None, f"{record.key} has a tombstone")
    configs = {name: app.topics.config(name) for name in (app.changelog, app.repartition, app.dead_letters)}
    checks.that("compact" in configs[app.changelog]["cleanup.policy"], f"changelog: {configs[app.changelog]}")
    checks.equal("retention.ms of the repartition topic", configs[app.repartition]["retention.ms"], "-1")
    checks.equal("its cleanup.policy", configs[app.repartition]["cleanup.policy"], "delete")
    for name, config in configs.items():
        room = int(config["max.message.bytes"])
        checks.that(room > 1_048_588, f"{name}: max.message.bytes is {room}, a 1 MiB value and its headers do not fit")
    checks.done()


@scenario("topics", "transactions")
def repartition_topic_is_purged(context: Context) -> None:
    """The repartition topic, which is kept for ever, would fill the brokers' disks."""
    app = context.app(partitions=2).create_input()
    for _ in range(5):
        send_some(app)
    payloads, _ = models_of(app.sender.flush(), Rules())
    tracker = app.start().wait_until_ready()
    checks = Checks()
    checks.extend(documents_converge(app, tracker, list(payloads.values())))

    def is_purged() -> bool:
        reader = app.read(app.repartition)
        return len(reader.read(1)) == 0

    tracker.wait_for(is_purged, "to purge the repartition topic", 60)
    checks.done()


@scenario("topics", "transactions")
def keyed_input(context: Context) -> None:
    """A producer that sets the key would pay for a hop that it does not need, or wrong keys would split payloads."""
    app = context.app(partitions=4).create_input()
    send_some(app, keyed=True)
    payloads, _ = models_of(app.sender.flush(), Rules())
    before = len(app.sender.delivered)
    wrong = sequences.message_values("ef" * 16, sequences.silent_consumer(), BASE, app.random)
    for key in (None, b"other", b""):
        app.send(wrong[0], key=key)
    app.sender.flush()
    tracker = app.start(input_keyed__by__payload__id="true").wait_until_ready()
    checks = Checks()
    checks.extend(documents_converge(app, tracker, list(payloads.values())))
    letters = read_dead_letters(app, 3)
    checks.equal("reasons", [letter.header("dlq.reason") for letter in letters], ["mis-keyed"] * 3)
    checks.equal("keys", {letter.key for letter in letters}, {r.key for r in app.sender.delivered[before:]})
    checks.equal("a payload of wrong keys only", tracker.document("ef" * 16), None)
    counts = app.topics.partition_counts()
    if app.repartition in counts:
        checks.equal("records in the repartition topic", len(app.read(app.repartition).read(1)), 0)
    checks.done()


def refusal_problems(app: App, topic: str, **settings) -> list[str]:
    """The worker must stop with an error that names the topic and says what to do."""
    tracker: Tracker = app.start(**settings)
    code = tracker.wait_for_exit(60)
    text = "\n".join(line for line in tracker.log_text().splitlines() if topic in line)
    checks = Checks()
    checks.that(code != 0, f"{topic}: exit code is 0")
    checks.that(bool(text), f"no error names {topic}:\n{tracker.log_tail()}")
    advice = any(word in text.lower() for word in ("reset", "topics.partitions", "application.id"))
    checks.that(advice, f"{topic}: the error does not say what to do: {text[:500]}")
    return checks.problems


@scenario("topics", "transactions")
def repartition_topic_that_grew(context: Context) -> None:
    """After partitions were added payloads would be split in two, each half with its own truth."""
    app = context.app(partitions=4).create_input()
    send_some(app)
    payloads, _ = models_of(app.sender.flush(), Rules())
    tracker = app.start().wait_until_ready()
    checks = Checks()
    checks.extend(documents_converge(app, tracker, list(payloads.values())))
    tracker.stop()
    app.topics.add_partitions(app.repartition, 6)
    checks.extend(refusal_problems(app, app.repartition))
    checks.extend(refusal_problems(app, app.repartition, state_dir=app.directory / "new-disk"))
    checks.done()


@scenario("topics", "transactions")
def changelog_topic_that_grew(context: Context) -> None:
    """After partitions were added to the changelog a restore would mix payloads of other partitions."""
    app = context.app(partitions=4).create_input()
    send_some(app)
    payloads, _ = models_of(app.sender.flush(), Rules())
    tracker = app.start().wait_until_ready()
    checks = Checks()
    checks.extend(documents_converge(app, tracker, list(payloads.values())))
    tracker.stop()
    app.topics.add_partitions(app.changelog, 6)
    checks.extend(refusal_problems(app, app.changelog))
    checks.done()


@scenario("topics", "transactions")
def missing_repartition_topic(context: Context) -> None:
    """A topic that somebody deleted would come back with other partitions than the state, and be in the way of the right ones."""
    app = context.app(partitions=2).create_input()
    app.start().wait_until_ready().stop()
    app.topics.delete(app.repartition)
    app.topics.wait_for(lambda: app.repartition not in app.topics.partition_counts(), "to delete the topic")
    checks = Checks()
    checks.extend(refusal_problems(app, app.repartition, topics_partitions=3))
    checks.that(app.repartition not in app.topics.partition_counts(), "a topic with the wrong partitions was created")
    app.start().wait_until_ready()
    checks.equal("partitions of the new topic", app.topics.partition_counts().get(app.repartition), 2)
    checks.done()


@scenario("topics", "transactions")
def recreated_input(context: Context) -> None:
    """After the input topic was deleted and made anew, as many messages as the old one had would be skipped."""
    app = context.app(partitions=1).create_input()
    tracker = app.start().wait_until_ready()

    def send(name: str, count: int) -> list[str]:
        ids = [f"{name}-{number}" for number in range(count)]
        for payload_id in ids:
            app.send(json.dumps({"payload_id": payload_id, "service": "s", "status": "success"}).encode())
        app.sender.flush()
        return ids

    checks = Checks()
    wait_for_all(tracker, send("old", 20))
    # Its commit is what Kafka forgets with the topic.
    tracker.wait_for(lambda: app.topics.committed(app.application_id).get((app.input, 0)) == 20, "to commit")
    app.topics.delete(app.input)
    app.topics.wait_for(lambda: app.input not in app.topics.partition_counts(), "to delete the topic")
    app.create_input()
    # The numbers of an idempotent producer would go on, and noida wants them to begin anew with the topic.
    app.sender = Sender(app.broker.bootstrap)
    # First fewer than before, so that the position is beyond the end, and then more.
    wait_for_all(tracker, send("few", 5))
    wait_for_all(tracker, send("more", 40))
    checks.that("made anew" in tracker.log_text(), "the log does not say what happened")
    checks.done()


def wait_for_all(tracker: Tracker, ids: list[str]) -> None:
    for payload_id in ids:
        tracker.wait_for(lambda payload_id=payload_id: tracker.document(payload_id), f"to know {payload_id}")
