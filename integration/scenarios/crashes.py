"""Crashes under load: whatever happens, documents and events are those of a run without crashes."""

from __future__ import annotations

import time
from itertools import islice

import invariants
import sequences
from app import App
from checks import Checks, Documents, Skipped, documents_converge, events_of_all, models_of
from disk import CannotMount, SmallDisk
from load import Load, traffic
from message import Rules
from records import Record
from scenarios import Context, scenario
from tracker import Tracker, TrackerFailed

MESSAGES = {"noida": 2_000}
KILLS = 6
SECONDS_OF_LOAD = 30


def load_values(context: Context, app: App) -> list[bytes | None]:
    return list(islice(traffic(app.random), MESSAGES.get(context.broker.kind, 8_000)))


def start(app: App, guarantee: str, **settings) -> Tracker:
    """Starts the program for a load that pauses; does not wait."""
    return app.start(processing_guarantee=guarantee, completion_settle="4s", stall_after="8s", **settings)


def start_first(app: App, guarantee: str, **settings) -> Tracker:
    """The first start, until it is ready; a program that says it has no exactly_once yet is not judged by it."""
    tracker = start(app, guarantee, **settings)
    try:
        return tracker.wait_until_ready()
    except TrackerFailed:
        if guarantee == "exactly_once" and not tracker.is_running() and guarantee in tracker.log_text():
            raise Skipped(f"the program refuses exactly_once: {tracker.log_tail().strip()}") from None
        raise


def run_with_kills(context: Context, guarantee: str, static: bool) -> None:
    app = context.app(partitions=6).create_input()
    values = load_values(context, app)
    load = Load(app, values, len(values) / SECONDS_OF_LOAD)
    member = {"group_instance_id": "one"} if static else {}
    tracker = start_first(app, guarantee, **member)
    load.start()
    kills = 0
    # Each may leave a transaction to be aborted, and the next start reads on behind it.
    wanted = KILLS if guarantee == "at_least_once" or "aborts" in context.broker.capabilities else 1
    while kills < wanted or load.is_alive():
        time.sleep(app.random.uniform(0.2, 2.5) if kills % 2 else app.random.uniform(2, 5))
        if kills < wanted:
            tracker.kill()
            kills += 1
            tracker = start(app, guarantee, **member)
    load.join()
    records = app.sender.flush()
    tracker.wait_until_ready(90)
    judge(app, tracker, records, repeats=guarantee == "at_least_once")


def judge(app: App, tracker: Documents, records: list[Record], repeats: bool) -> None:
    checks = Checks()
    for verdict in invariants.of_records(app, tracker, records, repeats=repeats):
        checks.extend(verdict.problems)
    checks.done()


@scenario("topics", "transactions", "fencing", "static-members")
def crashes_exactly_once(context: Context) -> None:
    """A crash would lose an outcome, tell it twice, or leave a wrong state behind."""
    run_with_kills(context, "exactly_once", static=True)


@scenario("topics", "static-members")
def crashes_at_least_once(context: Context) -> None:
    """With at_least_once a crash would lose an outcome or tell another one under the same id."""
    run_with_kills(context, "at_least_once", static=True)


@scenario("topics", "transactions", "fencing", "takeover")
def crashes_of_dynamic_members(context: Context) -> None:
    """Without a `group.instance.id` a crashed worker's partitions would be left alone."""
    run_with_kills(context, "exactly_once", static=False)


@scenario("topics", "transactions", "fencing", "static-members")
def lost_disk(context: Context) -> None:
    """A worker whose disk is gone would not get its state back from the changelog."""
    app = context.app(partitions=3).create_input()
    makers = [make for make in sequences.SEQUENCES.values() for _ in range(3)]
    for make in makers:
        payload_id = sequences.new_id(app.random)
        for value in sequences.message_values(payload_id, make(), 1_700_000_000_000_000, app.random):
            app.send(value)
    records = app.sender.flush()
    payloads, _ = models_of(records, Rules())
    tracker = start_first(app, "exactly_once", group_instance_id="one")
    checks = Checks()
    checks.extend(documents_converge(app, tracker, list(payloads.values())))
    tracker.kill()
    tracker = start(app, "exactly_once", group_instance_id="one", state_dir=app.directory / "new-disk")
    tracker.wait_until_ready()
    checks.extend(documents_converge(app, tracker, list(payloads.values()), seconds=20))
    checks.extend(events_of_all(app, tracker, payloads, repeats=False))
    checks.done()


@scenario("topics")
def at_least_once(context: Context) -> None:
    """Without transactions outcomes would be missing or states wrong even when nothing crashes."""
    run_quietly(context, "at_least_once")


@scenario("topics", "transactions")
def exactly_once(context: Context) -> None:
    """With transactions outcomes would be missing or states wrong even when nothing crashes."""
    run_quietly(context, "exactly_once")


def run_quietly(context: Context, guarantee: str) -> None:
    app = context.app(partitions=6).create_input()
    for value in load_values(context, app):
        app.send(value)
    records = app.sender.flush()
    tracker = start_first(app, guarantee)
    judge(app, tracker, records, repeats=False)


@scenario()
def start_on_a_full_disk(context: Context) -> None:
    """A worker that is started while the disk is full would end again and again instead of saying so and going on when there is room."""
    app = context.app().create_input()
    try:
        disk = SmallDisk(app.directory / "state")
    except CannotMount as error:
        raise Skipped(f"no small disk: {error}") from None
    try:
        disk.fill()
        tracker = app.start()
        tracker.wait_for(lambda: tracker.status_of("/healthz") == 503, "to say that it cannot work")
        check = Checks()
        check.that(b"full disk" in tracker.request("/healthz").body, "/healthz does not name the full disk")
        check.that("make room" in tracker.log_text(), "the log does not say what to do")
        disk.free()
        tracker.wait_until_ready()
        check.equal("exit code after SIGTERM", tracker.stop(), 0)
        check.done()
    finally:
        app.close()
        disk.unmount()
