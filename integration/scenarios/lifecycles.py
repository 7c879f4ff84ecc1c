"""Payloads as services report them: documents, histories and outcome events equal the model."""

from __future__ import annotations

import json
import time

import sequences
from app import App
from checks import (
    Checks,
    Sent,
    documents_converge,
    exact_event_problems,
    history_problems,
    model_of,
    plausible_event_problems,
    read_outcomes,
)
from message import Rules
from scenarios import Context, scenario

DAY = 86_400_000_000


def base_date(app: App) -> int:
    """A moment in the last three days, in whole seconds, so that every date form can write it."""
    now = int(time.time()) * 1_000_000
    return now - app.random.randrange(1, 3 * DAY // 1_000_000) * 1_000_000


def send_in_order(app: App, steps: list[sequences.Step], rules: Rules, payload_id: str | None = None) -> Sent:
    """One payload's messages shuffled, with duplicates, all on one partition: so the log's order is known."""
    payload_id = payload_id or sequences.new_id(app.random)
    values = sequences.message_values(payload_id, steps, base_date(app), app.random)
    values = sequences.shuffled_with_duplicates(values, app.random)
    partition = app.random.randrange(app.partitions)
    for value in values:
        app.send(value, partition)
    return model_of(values, rules)


def send_upload(app: App, steps: list[sequences.Step]) -> str:
    """One payload's messages as its services sent them, in that order; its id."""
    payload_id = sequences.new_id(app.random)
    for value in sequences.message_values(payload_id, steps, base_date(app), app.random):
        app.send(value, 0)
    app.sender.flush()
    return payload_id


def send_anywhere(app: App, steps: list[sequences.Step], rules: Rules) -> Sent:
    """One payload's messages shuffled, with duplicates, each on any partition: as producers without keys do."""
    payload_id = sequences.new_id(app.random)
    values = sequences.message_values(payload_id, steps, base_date(app), app.random)
    values = sequences.shuffled_with_duplicates(values, app.random)
    for value in values:
        app.send(value)
    return model_of(values, rules)


def judge(context: Context, app: App, in_order: list[Sent], anywhere: list[Sent], **settings) -> None:
    """Starts the program over what was sent and compares everything it tells with the model."""
    app.sender.flush()
    tracker = app.start(**settings).wait_until_ready()
    checks = Checks()
    everything = [sent.payload for sent in in_order + anywhere]
    checks.extend(documents_converge(app, tracker, everything))
    expected = {sent.payload_id: sent.expected_events() for sent in in_order}
    counts = {payload_id: len(events) for payload_id, events in expected.items()}
    for sent in anywhere:
        counts[sent.payload_id] = 0 if sent.payload.final_outcome() == "open" else 1
    events = read_outcomes(app, counts)
    for payload_id, wanted in expected.items():
        checks.extend(exact_event_problems(app, events.get(payload_id, []), wanted))
    for sent in anywhere:
        document = tracker.document(sent.payload_id)
        found = events.get(sent.payload_id, [])
        checks.extend(plausible_event_problems(app, found, sent.payload, document))
    checks.equal("payloads that events are about", set(events) - set(counts), set())
    for payload in everything:
        for limit in (None, 1, 3):
            checks.extend(history_problems(tracker, payload, limit))
    checks.done()


@scenario("topics", "transactions")
def every_known_sequence(context: Context) -> None:
    """Uploads of today's services would be shown or told wrongly."""
    app = context.app(partitions=4).create_input()
    rules = Rules()
    in_order, anywhere = [], []
    for make in sequences.SEQUENCES.values():
        in_order += [send_in_order(app, make(), rules) for _ in range(3)]
        anywhere += [send_anywhere(app, make(), rules) for _ in range(3)]
    judge(context, app, in_order, anywhere)


def random_payloads(context: Context, rules: Rules, count: int = 60, **settings) -> None:
    app = context.app(partitions=5).create_input()
    in_order = [send_in_order(app, sequences.random_steps(app.random), rules) for _ in range(count)]
    anywhere = [send_anywhere(app, sequences.random_steps(app.random), rules) for _ in range(count)]
    judge(context, app, in_order, anywhere, **settings)


@scenario("topics", "transactions")
def random_sequences(context: Context) -> None:
    """Retries, equal dates, backward steps or hand-overs would give a wrong status or a wrong why."""
    random_payloads(context, Rules(), count=120)


@scenario("topics", "transactions")
def ignored_services(context: Context) -> None:
    """A service that never ends its work would keep payloads open although it is set to be ignored."""
    rules = Rules(ignored=("advisor", "tasks"))
    random_payloads(context, rules, services_ignored="advisor,tasks")


@scenario("topics", "transactions")
def payload_of_ignored_services_only(context: Context) -> None:
    """A payload of which only ignored services speak would stall or complete."""
    app = context.app().create_input()
    rules = Rules(ignored=("tasks",))
    sent = [send_anywhere(app, sequences.endless_task(), rules)]
    only = sequences.endless_task()[-1:]
    sent += [send_in_order(app, only, rules) for _ in range(5)]
    sent += [send_in_order(app, [sequences.Step(1, "tasks", "error")], rules) for _ in range(5)]
    judge(context, app, sent[1:], sent[:1], services_ignored="tasks", stall_after="3s")


@scenario("topics", "transactions")
def services_ignored_from_now_on(context: Context) -> None:
    """After a change of the settings a payload would stay failed although nothing of it fails, or completed although something does."""
    app = context.app().create_input()
    failing = sequences.new_id(app.random)
    for service, status in (("ingress", "success"), ("tasks", "error")):
        app.send(json.dumps({"payload_id": failing, "service": service, "status": status}).encode())
    app.sender.flush()
    for settings, status, outcome in (
        ({}, "failure", "failed"),
        ({"services_ignored": "tasks"}, "success", "completed"),
        ({}, "failure", "failed"),
    ):
        tracker = app.start(**settings).wait_until_ready()
        tracker.wait_for(
            lambda status=status, outcome=outcome, tracker=tracker: (
                (tracker.document(failing) or {}).get("outcome") == outcome
                and tracker.document(failing)["status"] == status
            ),
            f"to judge it {outcome} with {settings}",
        )
        tracker.stop()
    events = [json.loads(record.value) for record in app.read(app.outcomes).read_at_least(3, 20)]
    checks = Checks()
    types = ["payload-failed", "payload-completed", "payload-failed"]
    checks.equal("events", [event["type"] for event in events], types)
    checks.equal("ids", [event["id"] for event in events], [f"{failing}:{revision}" for revision in (1, 2, 3)])
    checks.done()


@scenario("topics", "transactions")
def required_services(context: Context) -> None:
    """A payload would count as completed although a service that must report never did."""
    rules = Rules(required=("puptoo", "advisor"))
    random_payloads(context, rules, completion_required__services="puptoo,advisor")


@scenario("topics", "transactions")
def sticky_recovery(context: Context) -> None:
    """With `stage.recovery = sticky` a failure would be forgotten after a retry."""
    app = context.app(partitions=5).create_input()
    rules = Rules(sticky=True)
    sent = []
    for _ in range(60):
        steps = [step for step in sequences.random_steps(app.random) if step.status != "invalid"]
        sent.append(send_in_order(app, steps or sequences.staging_fails(), rules))
    judge(context, app, sent, [], stage_recovery="sticky")


@scenario("topics", "transactions")
def equal_ids_in_any_form(context: Context) -> None:
    """One payload would be taken for several because services write its id differently."""
    app = context.app().create_input()
    ids = ["not-a-uuid", "Ünïcode id / with ? and %", "a\u0000b", "x" * 256, "-2", "{not-a-uuid}", "0" * 31]
    sent = [send_in_order(app, sequences.openshift_upload(), Rules(), payload_id) for payload_id in ids]
    sent.append(send_in_order(app, sequences.rhel_upload(), Rules()))
    judge(context, app, sent, [])


@scenario("topics", "transactions")
def reopened_payload(context: Context) -> None:
    """Work that goes on after the end would not be told, or told under a revision that was used before."""
    app = context.app().create_input()
    step, rules = sequences.Step, Rules()
    waves = [
        [step(0, "ingress", "success")],
        [step(1, "puptoo", "received"), step(2, "puptoo", "success")],
        [step(3, "puptoo", "error", "broken")],
        [step(4, "puptoo", "success", "retried")],
    ]
    types = ["payload-completed", "payload-completed", "payload-failed", "payload-completed"]
    payload_id, base = sequences.new_id(app.random), base_date(app)
    tracker = app.start(stall_after="1h").wait_until_ready()
    reader = app.read(app.outcomes)
    checks, values = Checks(), []
    for told, wave in enumerate(waves, 1):
        new = sequences.message_values(payload_id, wave, base, app.random)
        values += new
        for value in new:
            app.send(value, 0)
        app.sender.flush()
        checks.extend(documents_converge(app, tracker, [model_of(values, rules).payload]))
        reader.read_at_least(told, 30)
        found = [record.json["type"] for record in reader.read(0.5)]
        checks.equal(f"events after {len(values)} messages", found, types[:told])
    document = tracker.document(payload_id)
    payload = model_of(values, rules).payload
    checks.extend(plausible_event_problems(app, reader.records, payload, document))
    checks.equal("revision of the document", document["revision"], 4)
    checks.done()
