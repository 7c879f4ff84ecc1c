"""Crashes under load: whatever happens, documents and events are those of a run without crashes."""

from __future__ import annotations

import threading
import time

import sequences
from app import App
from checks import Checks, Skipped, by_payload, documents_converge, models_of, plausible_event_problems
from message import Rules
from model import Payload
from records import Record
from scenarios import Context, scenario
from scenarios.bad_input import place, refused_values
from tracker import Tracker, TrackerFailed

PAYLOADS = {"noida": 150}
KILLS = 6
SECONDS_OF_LOAD = 30


def load_values(context: Context, app: App) -> list[bytes | None]:
    """Messages of many payloads, in pieces that overlap, with refused records and tombstones between them."""
    makers = list(sequences.SEQUENCES.values())
    bad = [value for _, value, _ in refused_values() if len(value) < 10_000]
    base = 1_700_000_000_000_000
    open_payloads, values = [], []
    for i in range(PAYLOADS.get(context.broker.kind, 600)):
        steps = app.random.choice(makers)() if i % 3 else sequences.random_steps(app.random)
        made = sequences.message_values(sequences.new_id(app.random), steps, base, app.random)
        open_payloads.append(sequences.shuffled_with_duplicates(made, app.random))
    while open_payloads:
        chosen = app.random.choice(open_payloads[:60])
        values.append(chosen.pop())
        if not chosen:
            open_payloads.remove(chosen)
        if app.random.random() < 0.02:
            values.append(app.random.choice([None, app.random.choice(bad)]))
    return values


class Load(threading.Thread):
    """Sends the values evenly over the time of the load, in small bursts."""

    def __init__(self, app: App, values: list[bytes | None]):
        super().__init__(daemon=True)
        self.app = app
        self.values = values

    def run(self) -> None:
        burst = max(1, len(self.values) // (SECONDS_OF_LOAD * 10))
        for i, value in enumerate(self.values):
            self.app.send(value)
            if i % burst == 0:
                time.sleep(0.1)


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
    load = Load(app, load_values(context, app))
    member = {"group_instance_id": "one"} if static else {}
    tracker = start_first(app, guarantee, **member)
    load.start()
    kills = 0
    while kills < KILLS or load.is_alive():
        time.sleep(app.random.uniform(0.2, 2.5) if kills % 2 else app.random.uniform(2, 5))
        if kills < KILLS:
            tracker.kill()
            kills += 1
            tracker = start(app, guarantee, **member)
    load.join()
    records = app.sender.flush()
    tracker.wait_until_ready(90)
    judge(app, tracker, records, repeats=guarantee == "at_least_once")


def judge(app: App, tracker: Tracker, records: list[Record], repeats: bool) -> None:
    payloads, refused = models_of(records, Rules())
    checks = Checks()
    checks.extend(documents_converge(app, tracker, list(payloads.values()), seconds=120))
    letters = app.read(app.dead_letters)
    letters.read(20, lambda found: len({place(letter) for letter in found}) >= len(refused))
    found = {place(letter): letter.header("dlq.reason") for letter in letters.read(1)}
    checks.equal("dead letters (by partition and offset)", found, refused)
    checks.extend(events_of_all(app, tracker, payloads, repeats))
    checks.done()


def events_of_all(app: App, tracker: Tracker, payloads: dict[str, Payload], repeats: bool) -> list[str]:
    reader = app.read(app.outcomes)
    reader.read(2)
    events = by_payload(reader.records)
    checks = Checks()
    checks.equal("payloads that only events know", set(events) - set(payloads), set())
    for payload_id, payload in payloads.items():
        found, document = events.get(payload_id, []), tracker.document(payload_id)
        problems = plausible_event_problems(app, found, payload, document, repeats=repeats, all_at_once=False)
        checks.extend(problems)
    return checks.problems


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
    run_with_kills(context, "at_least_once", static=False)


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
    tracker = start_first(app, "at_least_once", group_instance_id="one")
    checks = Checks()
    checks.extend(documents_converge(app, tracker, list(payloads.values())))
    tracker.kill()
    tracker = start(app, "at_least_once", group_instance_id="one", state_dir=app.directory / "new-disk")
    tracker.wait_until_ready()
    checks.extend(documents_converge(app, tracker, list(payloads.values()), seconds=20))
    checks.extend(events_of_all(app, tracker, payloads, repeats=True))
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
