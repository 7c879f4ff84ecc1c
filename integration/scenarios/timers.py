"""Settle, stall and retention timers: without traffic, over restarts, and after a long time away."""

from __future__ import annotations

import time
from functools import partial

import sequences
from app import App
from checks import Checks, documents_converge, exact_event_problems, model_of, read_outcomes, wait_for_documents
from message import Rules
from model import Payload
from records import Record
from scenarios import Context, scenario
from scenarios.lifecycles import base_date, send_in_order
from tracker import Tracker

RULES = Rules()
BACKLOG = {"noida": 3_000}
MEMBER = {"group_instance_id": "one"}


def end(tracker: Tracker, how: str) -> None:
    """Ends the program in an orderly way or with SIGKILL."""
    if how == "kill":
        tracker.kill()
    else:
        tracker.stop()


def final_event_problems(app: App, payloads: list[Payload], types: dict[str, list[str]]) -> list[str]:
    """Every payload's events are of these types, with revisions from 1."""
    checks = Checks()
    events = read_outcomes(app, {payload_id: len(expected) for payload_id, expected in types.items()})
    for payload in payloads:
        found = [(r.json["type"], r.json["revision"]) for r in events.get(payload.payload_id, [])]
        expected = [(kind, i + 1) for i, kind in enumerate(types[payload.payload_id])]
        checks.equal(f"events of {payload.payload_id}", found, expected)
    return checks.problems


@scenario("topics", "transactions")
def timers_without_traffic(context: Context) -> None:
    """The last payload before a quiet hour would never be told as completed or stalled."""
    app = context.app().create_input()
    tracker = app.start().wait_until_ready()
    sent = [send_in_order(app, make(), RULES) for make in (sequences.silent_consumer, sequences.staging_fails)]
    app.sender.flush()
    checks = Checks()
    checks.extend(documents_converge(app, tracker, [one.payload for one in sent]))
    events = read_outcomes(app, {one.payload_id: 1 for one in sent})
    for one in sent:
        checks.extend(exact_event_problems(app, events.get(one.payload_id, []), one.expected_events()))
    checks.done()


@scenario("topics", "transactions")
def timers_turned_off(context: Context) -> None:
    """`completion.settle = 0` would wait, or `stall.after = 0` would stall at once."""
    app = context.app().create_input()
    tracker = app.start(completion_settle="0s", stall_after="0s").wait_until_ready()
    rules = Rules(stall_after=0)
    done = send_in_order(app, sequences.silent_consumer()[1:], rules)
    stuck = send_in_order(app, sequences.staging_fails(), rules)
    app.sender.flush()
    checks = Checks()
    checks.extend(documents_converge(app, tracker, [done.payload, stuck.payload]))
    types = {done.payload_id: ["payload-completed"], stuck.payload_id: []}
    checks.extend(final_event_problems(app, [done.payload, stuck.payload], types))
    checks.done()


@scenario("topics", "transactions")
def stall_times_of_services(context: Context) -> None:
    """A payload in a service that is slow by nature would be called stalled, or one in a quick service an hour too late."""
    app = context.app().create_input()
    step = sequences.Step
    own = {"PAYLOAD_TRACKER_STALL_AFTER_QUICK_SERVICE": "2s", "PAYLOAD_TRACKER_STALL_AFTER_ENDLESS": "0"}
    tracker = app.start(stall_after="10s", variables=own).wait_until_ready()
    waits = {"quick-service": ["payload-stalled"], "endless": [], "other": ["payload-stalled"]}
    steps = {name: [step(0, "ingress", "success"), step(1, name, "processing")] for name in waits}
    sent = {name: send_in_order(app, steps[name], RULES).payload for name in waits}
    app.sender.flush()
    started = time.monotonic()
    checks = Checks()
    quick = sent["quick-service"].payload_id
    tracker.wait_for(lambda: (tracker.document(quick) or {}).get("outcome") == "stalled", "to call it stalled")
    others = [tracker.document(sent[name].payload_id)["outcome"] for name in ("endless", "other")]
    if time.monotonic() - started < 8:
        checks.equal("outcomes of those that wait elsewhere", others, ["open", "open"])
    other = sent["other"].payload_id
    tracker.wait_for(lambda: tracker.document(other)["outcome"] == "stalled", "to call the other stalled, too")
    types = {sent[name].payload_id: expected for name, expected in waits.items()}
    checks.extend(final_event_problems(app, list(sent.values()), types))
    checks.equal("outcome of the endless", tracker.document(sent["endless"].payload_id)["outcome"], "open")
    checks.done()


def timers_survive(context: Context, how: str) -> None:
    app = context.app().create_input()
    quick = {"completion_settle": "6s", "stall_after": "12s", **MEMBER}
    tracker = app.start(**quick).wait_until_ready()
    makers = (sequences.silent_consumer, sequences.staging_fails, sequences.extraction_fails)
    sent = [send_in_order(app, make(), RULES) for make in makers for _ in range(4)]
    app.sender.flush()
    wait_for_documents(tracker, [one.payload_id for one in sent])
    end(tracker, how)
    tracker = app.start(**quick).wait_until_ready()
    checks = Checks()
    checks.extend(documents_converge(app, tracker, [one.payload for one in sent]))
    types = {one.payload_id: [f"payload-{one.payload.final_outcome()}"] for one in sent}
    checks.extend(final_event_problems(app, [one.payload for one in sent], types))
    checks.done()


@scenario("topics", "transactions", "static-members")
def timers_survive_a_restart(context: Context) -> None:
    """Payloads that were open at a restart would never be told."""
    timers_survive(context, "stop")


@scenario("topics", "transactions", "static-members", "fencing")
def timers_survive_a_crash(context: Context) -> None:
    """Payloads that were open at a crash would never be told, or told twice."""
    timers_survive(context, "kill")


def down_for_long(context: Context, how: str) -> None:
    """Half of what each payload says comes before the time away, the rest meanwhile, behind a backlog."""
    app = context.app().create_input()
    slow = {"completion_settle": "10s", "stall_after": "10s", **MEMBER}
    tracker = app.start(**slow).wait_until_ready()
    step = sequences.Step
    first = [step(0, "ingress", "received"), step(1, "ingress", "success")]
    halves = {
        "finishes": ([first[0]], [first[1]], "completed"),
        "fails": (first, [step(2, "puptoo", "error", "broken")], "failed"),
        "stays": ([first[0]], [], "stalled"),
    }
    parts = []
    for before, meanwhile, outcome in halves.values():
        for _ in range(8):
            payload_id, base = sequences.new_id(app.random), base_date(app)
            written = [sequences.message_values(payload_id, steps, base, app.random) for steps in (before, meanwhile)]
            parts.append((payload_id, *written, outcome))
    for _, before, _, _ in parts:
        for value in before:
            app.send(value)
    app.sender.flush()
    wait_for_documents(tracker, [payload_id for payload_id, *_ in parts])
    end(tracker, how)
    send_backlog(context, app)
    for _, _, meanwhile, _ in parts:
        for value in meanwhile:
            app.send(value)
    app.sender.flush()
    time.sleep(12)
    tracker = app.start(**slow).wait_until_ready()
    checks = Checks()
    payloads = [model_of(before + meanwhile, RULES).payload for _, before, meanwhile, _ in parts]
    checks.extend(documents_converge(app, tracker, payloads, seconds=90))
    types = {payload_id: [f"payload-{outcome}"] for payload_id, _, _, outcome in parts}
    checks.extend(final_event_problems(app, payloads, types))
    checks.done()


def send_backlog(context: Context, app: App) -> None:
    """Other payloads' messages on every partition, so that what was said meanwhile is not the first to be read."""
    for _ in range(BACKLOG.get(context.broker.kind, 30_000) // 2):
        payload_id = sequences.new_id(app.random)
        for value in sequences.message_values(
            payload_id, sequences.silent_consumer(), 1_700_000_000_000_000, app.random
        ):
            app.send(value)


@scenario("topics", "transactions", "static-members")
def long_restart(context: Context) -> None:
    """After a maintenance hour payloads would be told as stalled or completed although they went on meanwhile."""
    down_for_long(context, "stop")


@scenario("topics", "transactions", "static-members", "fencing")
def long_crash(context: Context) -> None:
    """After an outage payloads would be told as stalled or completed although they went on meanwhile."""
    down_for_long(context, "kill")


def has_tombstones(count: int, records: list[Record]) -> bool:
    return sum(record.value is None for record in records) >= count


@scenario("topics", "transactions")
def retention(context: Context) -> None:
    """The state would grow for ever, or a payload that comes back would go on with its old revisions."""
    app = context.app(partitions=1).create_input()
    tracker = app.start(completion_settle="1s", retention="6s").wait_until_ready()
    steps, payload_id = sequences.silent_consumer(), sequences.new_id(app.random)
    checks = Checks()
    changelog = app.read(app.changelog)
    for time_round in (1, 2):
        for value in sequences.message_values(payload_id, steps, base_date(app), app.random):
            app.send(value)
        app.sender.flush()
        wait_for_documents(tracker, [payload_id])
        tracker.wait_for(lambda: tracker.payload(payload_id).status == 404, f"to forget it, round {time_round}")
        changelog.read(20, partial(has_tombstones, time_round))
        checks.that(has_tombstones(time_round, changelog.records), f"no tombstone in the changelog, {time_round}")
    events = read_outcomes(app, {payload_id: 2}).get(payload_id, [])
    found = [(record.json["type"], record.json["revision"]) for record in events]
    checks.equal("events", found, [("payload-completed", 1)] * 2)
    checks.done()
