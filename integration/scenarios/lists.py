"""Lists of payloads: every filter and every pair of them gives what a look at each payload gives."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from itertools import combinations_with_replacement
from urllib.parse import urlencode

import sequences
from app import App
from checks import Checks, documents_converge
from message import Rules, rfc3339
from model import Payload
from scenarios import Context, scenario
from scenarios.http_rules import problem_problems
from scenarios.lifecycles import base_date, send_anywhere
from tracker import Tracker, TrackerFailed

PAYLOADS = {"noida": 120}
LONGEST_LIST = 10_000


def is_listed(payload: Payload, filters: dict[str, str]) -> bool:
    """Whether a payload that has come to rest has everything that is asked for."""
    updated = payload.dates()[1]
    tests = {
        "inventory_id": lambda value: value in payload.id_set("inventory_id")[0],
        "system_id": lambda value: value in payload.id_set("system_id")[0],
        "account": lambda value: value == payload.last_attribute("account"),
        "org_id": lambda value: value == payload.last_attribute("org_id"),
        "status": lambda value: value == payload.status,
        "outcome": lambda value: value == payload.final_outcome(),
        "service": lambda value: value in payload.services,
        "failed_service": lambda value: value in {entry.service for entry in payload.failed_stages()},
        "since": lambda value: rfc3339(updated) >= value,
        "until": lambda value: rfc3339(updated) < value,
    }
    return all(tests[name](value) for name, value in filters.items())


def expected_ids(payloads: list[Payload], filters: dict[str, str]) -> list[str]:
    listed = [payload for payload in payloads if is_listed(payload, filters)]
    return [p.payload_id for p in sorted(listed, key=lambda p: (-p.dates()[1], p.payload_id.encode()))]


def page(tracker: Tracker, filters: dict[str, str], **more) -> dict:
    given = {**filters, **{name: value for name, value in more.items() if value is not None}}
    query = urlencode(given)
    answer = tracker.request(f"/v1/payloads?{query}")
    if answer.status != 200:
        raise TrackerFailed(f"GET /v1/payloads?{query}: {answer.status} {answer.body[:300]!r}")
    return answer.json


def listed(tracker: Tracker, filters: dict[str, str], limit: int | None = None) -> list[dict]:
    """All pages, one after another."""
    documents: list[dict] = []
    cursor = None
    while len(documents) < LONGEST_LIST:
        answer = page(tracker, filters, limit=limit, cursor=cursor)
        documents += answer["data"]
        cursor = answer["next_cursor"]
        if cursor is None:
            return documents
    raise TrackerFailed(f"the list of {filters} does not end")


def choices(payloads: list[Payload]) -> dict[str, list[str]]:
    """For each filter values that there are, and one that there is not."""
    dates = sorted(rfc3339(payload.dates()[1]) for payload in payloads)
    several = {
        name: {value for payload in payloads for value in payload.id_set(name)[0]}
        for name in ("inventory_id", "system_id")
    }
    single = {name: {payload.last_attribute(name) for payload in payloads} - {None} for name in ("account", "org_id")}
    services = {service for payload in payloads for service in payload.services}
    known = {
        **several,
        **single,
        "service": services,
        "failed_service": {entry.service for payload in payloads for entry in payload.failed_stages()},
    }
    found = {name: [*sorted(values), "nothing-has-this"] for name, values in known.items()}
    found["status"] = ["received", "processing", "success", "failure", "invalid"]
    found["outcome"] = ["open", "completed", "failed", "stalled"]
    found["since"] = found["until"] = dates[:: max(1, len(dates) // 6)]
    return found


def list_problems(context: Context, tracker: Tracker, payloads: list[Payload]) -> list[str]:
    """How lists by nothing, by each filter and by each pair of filters differ from the model."""
    checks = Checks()
    values = choices(payloads)
    random = context.random
    questions: list[dict[str, str]] = [{}]
    questions += [{name: value} for name, options in values.items() for value in options[:8]]
    for first, second in combinations_with_replacement(sorted(values), 2):
        for _ in range(2):
            filters = {first: random.choice(values[first]), second: random.choice(values[second])}
            if filters.get("since", "") <= filters.get("until", "~"):
                questions.append(filters)
    for _ in range(60):
        names = random.sample(sorted(set(values) - {"until"}), 3)
        questions.append({name: random.choice(values[name]) for name in names})
    for filters in questions:
        documents = listed(tracker, filters, random.choice([None, 5, 30, 500]))
        checks.equal(f"list by {filters}", [d["payload_id"] for d in documents], expected_ids(payloads, filters))
    return checks.problems


def summary_problems(tracker: Tracker, payloads: list[Payload]) -> list[str]:
    """How the counts of the summary differ from the model."""
    answer = tracker.request("/v1/summary")
    checks = Checks()
    if not checks.equal("summary: status", answer.status, 200):
        return checks.problems
    counted = answer.json["payloads"]
    failing = Counter(s for p in payloads for s in {entry.service for entry in p.failed_stages()})
    checks.equal("summary: total", counted["total"], len(payloads))
    for name, expected in (
        ("outcomes", Counter(p.final_outcome() for p in payloads)),
        ("statuses", Counter(p.status for p in payloads)),
        ("failing_services", failing),
    ):
        checks.equal(f"summary: {name}", {k: n for k, n in counted[name].items() if n}, dict(expected))
    return checks.problems


def send_many(context: Context, app: App) -> list[Payload]:
    count = PAYLOADS.get(context.broker.kind, 400)
    sent = [send_anywhere(app, sequences.random_steps(app.random), Rules()) for _ in range(count)]
    sent += [send_anywhere(app, make(), Rules()) for make in sequences.SEQUENCES.values()]
    app.sender.flush()
    return [one.payload for one in sent]


@scenario("topics", "transactions")
def lists_by_every_filter(context: Context) -> None:
    """Who looks for what failed would miss payloads, or be shown others."""
    app = context.app(partitions=5).create_input()
    tracker = app.start().wait_until_ready()
    payloads = send_many(context, app)
    checks = Checks()
    checks.extend(documents_converge(app, tracker, payloads))
    checks.extend(list_problems(context, tracker, payloads))
    checks.extend(summary_problems(tracker, payloads))
    told = tracker.request("/v1/summary").json["last_hour"]
    failed = sum(payload.final_outcome() == "failed" for payload in payloads)
    checks.that(told["outcomes"]["failed"] >= failed, f"the last hour has {told}, and {failed} payloads failed")
    for document in page(tracker, {}, limit=5)["data"]:
        alone = tracker.document(document["payload_id"])
        stages = alone.pop("stages")
        checks.equal(f"document {document['payload_id']} in a list", document, alone)
        checks.that(bool(stages), f"document {document['payload_id']} has no stages")
    checks.done()


@scenario("topics", "transactions")
def lists_survive(context: Context) -> None:
    """After a crash, or with a lost disk, lists would lack payloads that lookups find."""
    app = context.app(partitions=3).create_input()
    tracker = app.start(group_instance_id="one").wait_until_ready()
    payloads = send_many(context, app)
    checks = Checks()
    checks.extend(documents_converge(app, tracker, payloads))
    tracker.kill()
    tracker = app.start(group_instance_id="one").wait_until_ready()
    checks.extend(list_problems(context, tracker, payloads))
    tracker.stop()
    shown = app.command("state", "list", "--filter", "status=failure", "--limit", "10000", "--json")
    found = [json.loads(line)["payload_id"] for line in shown.stdout.splitlines()]
    checks.equal(f"state list {shown.stderr[-300:]!r}", found, expected_ids(payloads, {"status": "failure"}))
    shown = app.command("state", "get", payloads[0].payload_id, "--json")
    checks.equal("state get", json.loads(shown.stdout)["status"], payloads[0].status)
    checks.equal("state get of an unknown payload: exit code", app.command("state", "get", "0" * 32).returncode, 4)
    checks.equal("state list by nonsense: exit code", app.command("state", "list", "--filter", "x=1").returncode, 2)
    shutil.rmtree(app.directory / "state")
    tracker = app.start(group_instance_id="one").wait_until_ready()
    checks.extend(list_problems(context, tracker, payloads))
    checks.extend(summary_problems(tracker, payloads))
    tracker.stop()
    verified = app.command("state", "verify", "--json")
    checks.equal(f"state verify {verified.stdout[-600:]!r} {verified.stderr[-300:]!r}", verified.returncode, 0)
    stores = [json.loads(line) for line in verified.stdout.splitlines()]
    checks.equal("stores that were verified", [store["problems"] for store in stores], [[]] * app.partitions)
    (app.directory / "state" / app.application_id / f"{app.repartition}-1" / "CURRENT").write_text("nonsense\n")
    verified = app.command("state", "verify")
    lines = [line for line in verified.stdout.splitlines() if line.startswith(app.repartition)]
    said = ["CANNOT BE VERIFIED" in line for line in lines]
    checks.equal(f"state verify with a damaged store {verified.stdout[-600:]!r}", said, [False, True, False])
    checks.equal("its exit code", verified.returncode, 3)
    checks.done()


@scenario("topics", "transactions")
def lists_while_traffic_flows(context: Context) -> None:
    """Someone who turns the pages while messages come would miss payloads that nothing happened to, or see them twice."""
    app = context.app(partitions=3).create_input()
    tracker = app.start().wait_until_ready()
    payloads = send_many(context, app)
    checks = Checks()
    checks.extend(documents_converge(app, tracker, payloads))
    expected = expected_ids(payloads, {"service": "ingress"})
    changing = set(app.random.sample(expected, len(expected) // 4))
    seen: list[str] = []
    cursor = None
    while True:
        answer = page(tracker, {"service": "ingress"}, limit=9, cursor=cursor)
        seen += [document["payload_id"] for document in answer["data"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
        for payload_id in app.random.sample(sorted(changing), 5):
            step = sequences.Step(app.random.randrange(100), "advisor", "success")
            for value in sequences.message_values(payload_id, [step], base_date(app), app.random):
                app.send(value)
        send_anywhere(app, sequences.rhel_upload(), Rules())
        app.sender.flush()
    unchanged = [payload_id for payload_id in expected if payload_id not in changing]
    known = set(unchanged)
    checks.equal("payloads that nothing happened to", [i for i in seen if i in known], unchanged)
    checks.done()


@scenario("topics")
def wrong_questions_for_lists(context: Context) -> None:
    """A mistake in a question would be answered with another list than was asked for."""
    app = context.app().create_input()
    steps = [sequences.Step(0, "ingress", "success", more={"account": "1"})]
    sent = [send_anywhere(app, steps, Rules()) for _ in range(3)]
    app.sender.flush()
    tracker = app.start().wait_until_ready()
    checks = Checks()
    checks.extend(documents_converge(app, tracker, [one.payload for one in sent]))
    wrong = ["limit=0", "limit=501", "limit=x", "status=done", "outcome=success", "since=yesterday", "until=2024-01-01"]
    wrong += [
        "account=",
        "org_id=None",
        "inventory_id=null",
        "service=",
        "failed_service=%20",
        "system_id=" + "x" * 257,
    ]
    wrong += ["cursor=x", "cursor=", "since=11&until=10", "colour=red", "status=failure&status=success"]
    for query in wrong:
        answer = tracker.request(f"/v1/payloads?{query}")
        checks.extend(problem_problems(query, answer, 400))
        name = query.split("=")[0]
        checks.that(name.encode() in answer.body, f"{query}: the problem does not name it: {answer.body[:200]!r}")
    cursor = page(tracker, {"account": "1"}, limit=1)["next_cursor"]
    for query in (f"cursor={cursor}", f"account=2&cursor={cursor}", f"account=1&cursor={cursor}x"):
        checks.extend(problem_problems(query, tracker.request(f"/v1/payloads?{query}"), 400))
    for filters in ({"account": " 1 "}, {"service": "INGRESS"}, {"status": "Success"}):
        checks.that(len(page(tracker, filters)["data"]) >= 1, f"{filters} finds nothing")
    checks.done()
