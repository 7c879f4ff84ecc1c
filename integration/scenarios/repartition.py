"""Another partition count for the state, in the middle of whatever there is to do."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from itertools import islice

from confluent_kafka import Consumer, TopicPartition

import invariants
from app import App
from checks import Checks, Failed, Skipped, documents_converge, events_of_all, models_of
from load import Load, traffic
from message import Refused, Rules, read_message
from partitioner import partition_of
from records import Record, Sender
from scenarios import Context, scenario
from scenarios.administration import first_line_problems
from scenarios.topics import refusal_problems, send_some
from tracker import Tracker, environment

VARIABLE = "KILL_AT_REPARTITION_STEP"
KILLS = ("created:1", "marked:1", "copying:20", "deleted:1", "copied:1")
MEMBERSHIP_SECONDS = 30


def send(app: App, values: Iterable[bytes | None]) -> None:
    for value in values:
        app.send(value)


def is_accepted(value: bytes | None) -> bool:
    try:
        return value is not None and read_message(value, 0) is not None
    except Refused:
        return False


def ends_of(records: list[Record]) -> dict[int, int]:
    """The end of each partition of a topic that holds these records."""
    ends: dict[int, int] = {}
    for record in records:
        ends[record.partition] = max(ends.get(record.partition, 0), record.offset + 1)
    return ends


def all_is_committed(app: App) -> bool:
    committed = app.topics.committed(app.application_id)
    return all(committed.get((app.input, p), 0) >= end for p, end in ends_of(app.sender.flush()).items())


def forward(app: App, values: Iterable[bytes | None]) -> None:
    """Leaves messages in the repartition topic that nobody has folded, forwarded and committed in the input, as workers do that are killed
    with a backlog. All that came before them has to be committed."""
    before = len(app.sender.flush())
    send(app, filter(is_accepted, values))
    records = app.sender.flush()[before:]
    forwarder = Sender(app.broker.bootstrap)
    for record in records:
        key = read_message(record.value, record.timestamp).payload_id.encode()
        partition = partition_of(key, app.payload_partitions)
        forwarder.send(app.repartition, record.value, partition, key=key, timestamp_ms=record.timestamp)
    forwarder.flush()
    committer = Consumer({"bootstrap.servers": app.broker.bootstrap, "group.id": app.application_id, "log_level": 0})
    offsets = [TopicPartition(app.input, partition, offset) for partition, offset in ends_of(records).items()]
    committed = committer.commit(offsets=offsets, asynchronous=False)
    committer.close()
    problems = [str(partition.error) for partition in committed if partition.error]
    if problems:
        raise RuntimeError(f"the runner could not commit: {problems}")


def repartition(app: App, application_id: str, partitions: int, *more: str, seconds: float = MEMBERSHIP_SECONDS):
    """Runs the command, until the members of workers that were killed have left the group."""
    deadline = time.monotonic() + seconds
    while True:
        command = ["repartition", "--to-application", application_id, "--partitions", str(partitions), "--yes", *more]
        result = app.command(*command)
        if "has members" not in result.stderr or time.monotonic() > deadline:
            return result
        time.sleep(1)


def become(app: App, partitions: int, *more: str) -> None:
    """Gives the application so many partitions."""
    application_id = f"{app.application_id}-{partitions}"
    done = repartition(app, application_id, partitions, *more)
    if done.returncode != 0:
        raise Failed(f"repartition ended with {done.returncode}: {done.stdout}{done.stderr[-500:]}")
    app.become(application_id, partitions)
    counts = app.topics.partition_counts()
    if counts.get(app.changelog) != partitions:
        raise Failed(f"there are {counts}, expected {partitions} partitions of {app.changelog}")


def refusals(app: App) -> list[str]:
    """What a person can do wrong, each told in one line, and nothing done."""
    new = f"{app.application_id}-5"
    checks = Checks()
    for what, code, words, arguments in (
        ("no partitions", 2, ("--partitions", "from 1 up"), ("--to-application", new, "--partitions", "0")),
        ("its own id", 2, ("--to-application",), ("--to-application", app.application_id, "--partitions", "5")),
        ("no terminal", 2, ("--yes",), ("--to-application", new, "--partitions", "5")),
        (
            "an input that is not keyed",
            2,
            ("topics.input",),
            ("--to-application", new, "--partitions", "5", "--to-set", "topics.input=x", "--yes"),
        ),
        (
            "one topic for both",
            2,
            ("topics.changelog", "--to-set"),
            ("--to-application", new, "--partitions", "5", "--set", f"topics.changelog={app.changelog}", "--yes"),
        ),
        (
            "an application that never ran",
            1,
            (f"{new}-x", "no committed offsets"),
            ("--application-id", f"{new}-x", "--to-application", new, "--partitions", "5", "--yes"),
        ),
    ):
        checks.extend(
            first_line_problems(f"repartition with {what}", app.command("repartition", *arguments), code, *words)
        )
    checks.equal("topics made by refusals", [name for name in app.topics.partition_counts() if new in name], [])
    return checks.problems


def killed_half_way(app: App, partitions: int, values: Iterator[bytes | None]) -> list[str]:
    """Kills the command at each of its steps. The old application goes on in between, and the new one refuses to."""
    application_id = f"{app.application_id}-{partitions}"
    checks = Checks()
    for kill in KILLS:
        settings = environment(app.settings) | {VARIABLE: kill}
        command = ["repartition", "--to-application", application_id, "--partitions", str(partitions), "--yes"]
        killed = subprocess.run(
            [str(app.executable), *command], env=settings, capture_output=True, text=True, timeout=60, check=False
        )
        if killed.returncode == 0:
            raise Skipped("only a debug build kills itself")
        if killed.returncode != -signal.SIGKILL:
            raise Failed(f"exit code {killed.returncode} at {kill}: {killed.stderr}")
        if not kill.startswith(("created", "deleted")):
            state = app.directory / f"state-of-{application_id}"
            new = app.start(application_id=application_id, state_dir=state)
            checks.equal(f"{kill}: exit code of the new application", new.wait_for_exit(60), 1)
            checks.that("repartition" in new.log_text().splitlines()[-1], f"{kill}: {new.log_tail()}")
        if kill.startswith(("marked", "deleted")):
            payloads, _ = models_of(app.sender.flush(), Rules())
            tracker = app.start().wait_until_ready()
            checks.extend(documents_converge(app, tracker, list(payloads.values())))
            checks.equal(f"{kill}: exit code of the old application", tracker.stop(), 0)
            send(app, islice(values, 50))
    return checks.problems


def final_problems(app: App) -> Iterator[str]:
    """What is wrong with the application after all of it, seen by a worker and in its stores."""
    tracker = app.start().wait_until_ready()
    for verdict in invariants.of_records(app, tracker, app.sender.flush(), repeats=False):
        yield from verdict.problems
    tracker.stop()
    yield from verified(app)


def verified(app: App) -> list[str]:
    checks = Checks()
    shown = app.command("state", "verify")
    checks.equal(f"state verify {shown.stdout}{shown.stderr}: exit code", shown.returncode, 0)
    checks.equal("stores that are as their changelog", shown.stdout.count("equals its"), app.payload_partitions)
    return checks.problems


@scenario("topics", "transactions", "fencing", "static-members")
def repartitioned_state(context: Context) -> None:
    """More load would mean to begin anew: what the input no longer has would be lost, and outcomes told again from revision 1."""
    app = context.app(partitions=3).create_input()
    # Payloads that are open when the count changes go on after it.
    values = traffic(app.random, open_payloads=25)
    checks = Checks()
    tracker = app.start().wait_until_ready()
    Load(app, islice(values, 500), rate=100).run()
    checks.extend(first_line_problems("repartition under a worker", repartition(app, "x", 5, seconds=0), 1, "SIGTERM"))
    tracker.wait_for(lambda: all_is_committed(app), "to commit all that was sent")
    tracker.stop()
    forward(app, islice(values, 80))
    send(app, islice(values, 80))
    app.sender.flush()
    checks.extend(refusals(app))
    plan = app.command("repartition", "--to-application", "x", "--partitions", "5", "--dry-run", "--json")
    checks.equal("done by a dry run", json.loads(plan.stdout)["done"], False)
    checks.that(all(copy["offsets"] > 0 for copy in json.loads(plan.stdout)["copies"]), f"to do: {plan.stdout}")
    become(app, 5)

    tracker = app.start().wait_until_ready()
    load = Load(app, islice(values, 400), rate=100)
    load.start()
    time.sleep(3)
    # One that is killed leaves more undone, and stays a member until its session is over.
    if "takeover" in context.broker.capabilities:
        tracker.kill()
    else:
        tracker.stop()
    load.join()
    app.sender.flush()
    become(app, 2)
    tracker = app.start().wait_until_ready()
    send(app, islice(values, 100))
    for verdict in invariants.of_records(app, tracker, app.sender.flush(), repeats=False):
        checks.extend(verdict.problems)
    tracker.wait_for(lambda: all_is_committed(app), "to commit all that was sent")
    checks.equal("exit code after SIGTERM", tracker.stop(), 0)
    checks.extend(verified(app))
    has_run = repartition(app, app.application_id.removesuffix("-2"), 2)
    checks.extend(first_line_problems("repartition to one that has run", has_run, 1, "has run", "reset"))
    checks.done()


@scenario("topics", "transactions", "fencing", "static-members")
def repartition_killed_at_every_step(context: Context) -> None:
    """A crash half-way would leave an application that begins without a part of its payloads, or one that cannot be made any more."""
    app = context.app(partitions=3).create_input()
    values = traffic(app.random, open_payloads=10)
    send(app, islice(values, 150))
    app.sender.flush()
    checks = Checks()
    tracker = app.start().wait_until_ready()
    tracker.wait_for(lambda: all_is_committed(app), "to commit all that was sent")
    tracker.stop()
    forward(app, islice(values, 50))
    checks.extend(killed_half_way(app, 5, values))
    become(app, 5)
    checks.extend(final_problems(app))
    checks.done()


@scenario("topics", "transactions")
def repartition_of_topics_that_grew(context: Context) -> None:
    """A topic whose partitions somebody raised by hand, which stops the worker, would cost all that is known."""
    app = context.app(partitions=3).create_input()
    values = traffic(app.random, open_payloads=10)
    checks = Checks()
    for topic, partitions in (("repartition", 5), ("changelog", 7)):
        send(app, islice(values, 100))
        tracker = app.start().wait_until_ready()
        tracker.wait_for(lambda: all_is_committed(app), "to commit all that was sent")
        tracker.stop()
        app.topics.add_partitions(getattr(app, topic), partitions)
        checks.extend(refusal_problems(app, getattr(app, topic)))
        become(app, partitions)
    checks.extend(final_problems(app))
    checks.done()


@scenario("topics", "transactions")
def repartition_of_a_keyed_input(context: Context) -> None:
    """A keyed input that has to grow would split payloads in two, or cost all that is known of them."""
    app = context.app(partitions=3)
    app.settings["input.keyed-by-payload-id"] = "true"
    app.create_input()
    send_some(app, keyed=True)
    checks = Checks()

    def stop_when_committed(tracker: Tracker) -> None:
        tracker.wait_until_ready().wait_for(lambda: all_is_committed(app), "to commit all that was sent")
        tracker.stop()

    stop_when_committed(app.start())
    send_some(app, keyed=True)
    app.sender.flush()
    app.topics.create(f"{app.input}-5", 5, retention_ms="-1")
    new_input = ("--to-set", f"topics.input={app.input}-5")
    small = repartition(app, "other", 5)
    checks.extend(first_line_problems("partitions that are not those of the input", small, 1, app.input, "equal"))
    unread = repartition(app, "other", 5, *new_input)
    checks.extend(first_line_problems("a keyed input that is not read", unread, 1, app.input, "not folded yet"))
    stop_when_committed(app.start())

    # To another topic, and then in the same one, which grows. A producer that knows the old count would wait for it.
    outcome_partitions, sent = app.partitions, app.sender.flush()
    become(app, 5, *new_input)
    app.input, app.partitions, app.sender = f"{app.input}-5", 5, Sender(app.broker.bootstrap)
    app.settings["topics.input"] = app.input
    send_some(app, keyed=True)
    sent += app.sender.flush()
    stop_when_committed(app.start())
    app.topics.add_partitions(app.input, 7)
    become(app, 7)
    app.partitions, app.sender = 7, Sender(app.broker.bootstrap)
    send_some(app, keyed=True)
    payloads, _ = models_of(sent + app.sender.flush(), Rules())
    tracker = app.start().wait_until_ready()
    checks.extend(documents_converge(app, tracker, list(payloads.values())))
    app.partitions = outcome_partitions
    checks.extend(events_of_all(app, tracker, payloads, repeats=False))
    tracker.stop()
    checks.extend(verified(app))
    checks.done()
