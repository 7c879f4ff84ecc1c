"""What a scenario found wrong, and the comparisons of documents and events with the model."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from app import App
from message import Message, Refused, Rules, read_message
from model import Payload, Timeline, entry_json
from partitioner import partition_of
from records import Record
from tracker import Tracker

SHOWN = 12
CONVERGE_SECONDS = 60
EXTRA_SECONDS = 1.5
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
MISSING = object()


class Skipped(Exception):
    """The broker or the program cannot do what the scenario needs; says what."""


class Failed(Exception):
    """A scenario found something wrong."""


class Checks:
    """Collects what is wrong, so that one run tells more than the first of it."""

    def __init__(self):
        self.problems: list[str] = []

    def that(self, truth: bool, problem: str) -> bool:
        if not truth:
            self.problems.append(problem)
        return bool(truth)

    def equal(self, what: str, actual, expected) -> bool:
        return self.that(expected == actual, f"{what} is {shortened(actual)}, expected {shortened(expected)}")

    def extend(self, problems: list[str]) -> None:
        self.problems += problems

    def done(self) -> None:
        if self.problems:
            more = [f"and {len(self.problems) - SHOWN} more"] if len(self.problems) > SHOWN else []
            raise Failed("\n".join(self.problems[:SHOWN] + more))


def shortened(value) -> str:
    text = repr(value)
    return text if len(text) <= 700 else f"{text[:700]}… ({len(text)} characters)"


@dataclass
class Sent:
    """A payload that was sent: its model, and its records in the order of the log, where that is known."""

    payload: Payload
    messages: list[Message]

    @property
    def payload_id(self) -> str:
        return self.payload.payload_id

    def expected_events(self) -> list[dict]:
        """The events of these messages in this order, nothing pausing between them, every timer firing after."""
        timeline = Timeline(Payload(self.payload_id, self.payload.rules))
        for message in self.messages:
            timeline.record(message)
        timeline.rest()
        return timeline.events


def model_of(values: list[bytes], rules: Rules, timestamp_ms: int = 0) -> Sent:
    """The model of one payload's accepted messages."""
    messages = [read_message(value, timestamp_ms, rules) for value in values]
    payload = Payload(messages[0].payload_id, rules)
    for message in messages:
        payload.add(message)
    return Sent(payload, messages)


def models_of(records: list[Record], rules: Rules) -> tuple[dict[str, Payload], dict[tuple[int, int], str]]:
    """What a whole input topic should become: payloads by id, and reasons of refused records by partition and offset."""
    payloads: dict[str, Payload] = {}
    refused: dict[tuple[int, int], str] = {}
    for record in records:
        if record.value is None:
            continue
        try:
            message = read_message(record.value, record.timestamp, rules)
        except Refused as refusal:
            refused[(record.partition, record.offset)] = refusal.reason
            continue
        payloads.setdefault(message.payload_id, Payload(message.payload_id, rules)).add(message)
    return payloads, refused


# Documents


class Documents(Protocol):
    """Who can be asked for documents: an instance, or several of them as one."""

    def document(self, payload_id: str) -> dict | None: ...


def differences(what: str, actual: dict, expected: dict) -> list[str]:
    checks = Checks()
    for key, value in expected.items():
        found = actual.get(key, MISSING)
        if found is MISSING:
            checks.that(False, f"{what} lacks {key}")
        elif key == "duration_ms":
            close = isinstance(found, (int, float)) and abs(found - value) <= 1
            checks.that(close, f"{what}: duration_ms is {found!r}, expected {value}")
        elif key == "missing_services":
            checks.equal(f"{what}: {key}", sorted(found), sorted(value))
        else:
            checks.equal(f"{what}: {key}", found, value)
    return checks.problems


def document_problems(app: App, document: dict | None, payload: Payload, outcome: str) -> list[str]:
    """How a document differs from the model; `partition` and `served_by` included."""
    what = f"document {payload.payload_id}"
    if document is None:
        return [f"{what} is unknown"]
    partition = partition_of(payload.payload_id.encode(), app.payload_partitions)
    problems = differences(what, document, {**payload.document(outcome), "partition": partition})
    if not isinstance(document.get("served_by"), str) or not document["served_by"]:
        problems.append(f"{what}: served_by is {document.get('served_by')!r}")
    return problems + stage_problems(what, document.get("stages") or [], payload)


def stage_problems(what: str, stages: list[dict], payload: Payload) -> list[str]:
    found = {(stage["service"], stage["source"]): stage for stage in stages}
    expected = payload.stage_json()
    checks = Checks()
    checks.equal(f"{what}: number of stages", len(stages), len(found))
    checks.equal(f"{what}: stages", set(found), set(expected))
    for key in found.keys() & expected.keys():
        stage = {"handed_over": False, **found[key]}
        wanted = dict(expected[key])
        if key[0] in payload.rules.ignored:
            wanted.pop("handed_over")
        checks.extend(differences(f"{what}: stage {key}", stage, wanted))
    return checks.problems


def documents_converge(
    app: App, tracker: Documents, payloads: list[Payload], seconds: float = CONVERGE_SECONDS
) -> list[str]:
    """Asks for every document until all are as the model says; what is still wrong when the time is over."""
    deadline = time.monotonic() + seconds
    waiting = {payload.payload_id: payload for payload in payloads}
    expected = {payload.payload_id: payload.final_outcome() for payload in payloads}
    while True:
        problems: list[str] = []
        for payload_id, payload in list(waiting.items()):
            found = document_problems(app, tracker.document(payload_id), payload, expected[payload_id])
            if found:
                problems += found
            else:
                del waiting[payload_id]
            if time.monotonic() > deadline and len(problems) > SHOWN:
                break
        if not problems or time.monotonic() > deadline:
            return problems
        time.sleep(0.3)


def wait_for_documents(tracker: Tracker, payload_ids: list[str], entries: int | None = None) -> None:
    """Until every payload is known, with as many entries as given."""

    def known(payload_id: str) -> bool:
        document = tracker.document(payload_id)
        if document is None:
            return False
        return entries is None or sum(stage["entries"] for stage in document["stages"]) >= entries

    for payload_id in payload_ids:
        tracker.wait_for(partial(known, payload_id), f"to know {payload_id}")


def history_problems(tracker: Tracker, payload: Payload, limit: int | None = None) -> list[str]:
    """How `/statuses` differs from the model; among entries that the stages' order leaves equal any order is right."""
    expected = [entry_json(entry) for entry in payload.history()]
    actual = tracker.statuses(payload.payload_id, limit)
    what = f"statuses of {payload.payload_id} (limit {limit})"
    checks = Checks()
    checks.equal(f"{what}: fields", {tuple(sorted(e)) for e in actual} <= {tuple(sorted(expected[0]))}, True)
    without_stage = [[blurred(entry) for entry in entries] for entries in (actual, expected[:limit])]
    checks.equal(f"{what} in order", *without_stage)
    if limit is None or limit >= len(expected):
        checks.equal(f"{what} as a set", sorted(map(sortable, actual)), sorted(map(sortable, expected)))
    return checks.problems


def blurred(entry: dict) -> dict:
    return {key: value for key, value in entry.items() if key not in ("service", "source")}


def sortable(entry: dict) -> list:
    return [(key, value is not None, value or "") for key, value in sorted(entry.items())]


# Outcome events


def event_problems(app: App, record: Record) -> list[str]:
    """What is wrong with one event by itself: key, partition, headers, shape."""
    event = record.json
    what = f"event {event.get('id')}"
    checks = Checks()
    payload_id = event.get("payload_id", "")
    checks.equal(f"{what}: key", record.key, payload_id.encode())
    checks.equal(f"{what}: partition", record.partition, partition_of(payload_id.encode(), app.partitions))
    checks.equal(f"{what}: ce_specversion", record.header("ce_specversion"), "1.0")
    checks.equal(f"{what}: ce_id", record.header("ce_id"), event.get("id"))
    checks.equal(f"{what}: ce_type", record.header("ce_type"), event.get("type"))
    checks.that(bool(record.header("ce_source")), f"{what} has no ce_source")
    content_type = record.header("content-type") or ""
    checks.that(content_type.startswith("application/json"), f"{what}: content-type is {content_type!r}")
    for name, date in (("ce_time", record.header("ce_time")), ("emitted_at", event.get("emitted_at"))):
        checks.that(bool(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", date or "")), f"{what}: {name} is {date!r}")
    for name in ("started_at", "ended_at"):
        checks.that(bool(DATE.fullmatch(event.get(name) or "")), f"{what}: {name} is {event.get(name)!r}")
    return checks.problems


def by_payload(records: list[Record]) -> dict[str, list[Record]]:
    grouped: dict[str, list[Record]] = {}
    for record in records:
        grouped.setdefault(record.key.decode(errors="replace") if record.key else "", []).append(record)
    return grouped


def read_outcomes(app: App, expected: dict[str, int], seconds: float = CONVERGE_SECONDS) -> dict[str, list[Record]]:
    """Events by payload, once there are as many as expected of each, and a while longer to see unexpected ones."""

    def enough(records: list[Record]) -> bool:
        found = by_payload(records)
        return all(len(found.get(payload_id, [])) >= count for payload_id, count in expected.items())

    reader = app.read(app.outcomes)
    reader.read(seconds, enough)
    return by_payload(reader.read(EXTRA_SECONDS))


def exact_event_problems(app: App, records: list[Record], expected: list[dict]) -> list[str]:
    """How a payload's events differ from those that the known order of its records makes."""
    checks = Checks()
    found = [(record.json["type"], record.json["revision"]) for record in records]
    what = f"events of {expected[0]['payload_id']}" if expected else "events"
    if not checks.equal(what, found, [(event["type"], event["revision"]) for event in expected]):
        return checks.problems
    for record, event in zip(records, expected):
        checks.extend(event_problems(app, record))
        checks.extend(differences(f"event {event['id']}", record.json, event))
    checks.extend(previous_outcome_problems(records))
    return checks.problems


def previous_outcome_problems(records: list[Record]) -> list[str]:
    """`previous_outcome` is the outcome before: open, or the one of the event before."""
    checks = Checks()
    before: str | None = None
    for record in records:
        allowed = {None, "open", before}
        found = record.json.get("previous_outcome", MISSING)
        checks.that(found in allowed, f"event {record.json['id']}: previous_outcome is {found!r}, not one of {allowed}")
        before = record.json["type"].removeprefix("payload-")
    return checks.problems


def plausible_event_problems(
    app: App,
    records: list[Record],
    payload: Payload,
    document: dict | None,
    *,
    repeats: bool = False,
    all_at_once: bool = True,
) -> list[str]:
    """What is wrong with a payload's events when the order of its records is not known: revisions run from 1, an
    event repeats only where `repeats` says so and then unchanged, and the last one tells the final outcome. Only when
    all records came at once, no timer firing between them, is what it tells about the payload known, too."""
    outcome = payload.final_outcome()
    what = f"events of {payload.payload_id}"
    checks = Checks()
    first_of: dict[int, Record] = {}
    for record in records:
        event = record.json
        checks.extend(event_problems(app, record))
        checks.equal(f"event {event['id']}: id", event["id"], f"{payload.payload_id}:{event['revision']}")
        known = first_of.setdefault(event["revision"], record)
        checks.that(repeats or known is record, f"{what}: revision {event['revision']} twice")
        checks.equal(f"{what}: type of the repeated revision {event['revision']}", event["type"], known.json["type"])
    checks.equal(f"{what}: revisions", sorted(first_of), list(range(1, len(first_of) + 1)))
    if outcome == "open":
        return checks.problems
    if not checks.that(bool(records), f"{what}: none, expected payload-{outcome}"):
        return checks.problems
    last = first_of[max(first_of)].json
    checks.equal(f"{what}: the last one's type", last["type"], f"payload-{outcome}")
    if document is not None:
        checks.equal(f"document {payload.payload_id}: revision", document["revision"], last["revision"])
    if outcome == "failed":
        failures = [entry_json(entry) for entry in payload.entries if entry.status in ("failure", "invalid")]
        checks.that(last["reason"] in failures, f"{what}: {shortened(last['reason'])} is no failure of the payload")
    elif all_at_once:
        checks.extend(differences(f"event {last['id']}", last, payload.event(outcome, last["revision"])))
    return checks.problems


def events_of_all(app: App, tracker: Documents, payloads: dict[str, Payload], repeats: bool) -> list[str]:
    """What is wrong with the events that are there now, of all payloads, whose records came in any order at any time."""
    events = by_payload(app.read(app.outcomes).read_to_end())
    checks = Checks()
    checks.equal("payloads that only events know", set(events) - set(payloads), set())
    for payload_id, payload in payloads.items():
        found, document = events.get(payload_id, []), tracker.document(payload_id)
        problems = plausible_event_problems(app, found, payload, document, repeats=repeats, all_at_once=False)
        checks.extend(problems)
    return checks.problems
