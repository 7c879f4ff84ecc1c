"""The HTTP endpoint's rules, whatever the payloads are."""

from __future__ import annotations

import re
import time

import sequences
from checks import Checks, documents_converge
from message import Rules
from scenarios import Context, scenario
from scenarios.bad_input import read_dead_letters, refused_values
from scenarios.lifecycles import send_anywhere
from tracker import Answer, Tracker

PROBLEM_TYPE = "application/problem+json"
SAMPLE = re.compile(
    r"([a-zA-Z_:][a-zA-Z0-9_:]*)"
    r"(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\"\\\n]|\\[\\\"n])*\",?)*)\})?"
    r" ([+-]?(?:[0-9.]+(?:[eE][+-]?[0-9]+)?|Inf)|NaN)(?: (-?[0-9]+))?"
)
LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)=\"((?:[^\"\\\n]|\\[\\\"n])*)\"")
TYPES = ("counter", "gauge", "histogram", "summary", "untyped")


def parse_metrics(text: str) -> tuple[list[tuple[str, dict[str, str], float]], list[str]]:
    """The samples of a Prometheus text, and what is wrong with it."""
    samples, problems, types = [], [], {}
    seen = set()
    for line in text.split("\n")[:-1]:
        if line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:4]
            problems += [f"type given twice: {line}"] * (name in types) + [f"odd type: {line}"] * (kind not in TYPES)
            types[name] = kind
        elif line and not line.startswith("#"):
            found = SAMPLE.fullmatch(line)
            if not found:
                problems.append(f"not a sample: {line!r}")
                continue
            labels = dict(LABEL.findall(found[2] or ""))
            identity = (found[1], tuple(sorted(labels.items())))
            problems += [f"sample given twice: {line}"] * (identity in seen)
            seen.add(identity)
            samples.append((found[1], labels, float(found[3])))
    problems += ["does not end with a line feed"] * (not text.endswith("\n"))
    return samples, problems


def problem_problems(what: str, answer: Answer, status: int) -> list[str]:
    """What is wrong with an error answer."""
    checks = Checks()
    if not checks.equal(f"{what}: status", answer.status, status):
        return checks.problems
    checks.equal(f"{what}: content type", answer.headers.get("content-type", "").split(";")[0], PROBLEM_TYPE)
    try:
        body = answer.json
    except ValueError:
        return [*checks.problems, f"{what}: the body is not JSON: {answer.body[:200]!r}"]
    checks.that(body.get("status") == status and bool(body.get("title")), f"{what}: the problem is {body}")
    return checks.problems


def forms(payload_id: str) -> list[str]:
    p = payload_id
    dashed = f"{p[:8]}-{p[8:12]}-{p[12:16]}-{p[16:20]}-{p[20:]}"
    written = [p, p.upper(), dashed, dashed.upper(), f"%7B{dashed}%7D", f"%20{p}%20", f"%{ord(p[0]):02x}{p[1:]}"]
    return written


@scenario("topics")
def rules_of_http(context: Context) -> None:
    """Clients would get wrong codes, unreadable errors, or another payload than they asked for."""
    app = context.app().create_input()
    sent = [send_anywhere(app, sequences.rhel_upload(), Rules()) for _ in range(2)]
    app.sender.flush()
    tracker = app.start().wait_until_ready()
    checks = Checks()
    checks.extend(documents_converge(app, tracker, [one.payload for one in sent]))
    known = sent[0].payload_id
    for form in forms(known):
        answer = tracker.request(f"/v1/payloads/{form}")
        if checks.equal(f"status for the id written {form}", answer.status, 200):
            checks.equal(f"payload for the id written {form}", answer.json["payload_id"], known)
            checks.that(answer.headers["content-type"].startswith("application/json"), f"{form}: {answer.headers}")
    check_errors(tracker, checks, known)
    check_methods(tracker, checks, known)
    check_waiting(tracker, checks, known)
    checks.done()


def check_errors(tracker: Tracker, checks: Checks, known: str) -> None:
    unknown = "0" * 32
    missing = [f"/v1/payloads/{unknown}", f"/v1/payloads/{unknown}/statuses", "/v1/nothing", "/nothing", f"/v1/{known}"]
    missing += [f"/v1/payloads/{known}/nothing", "/v1/payloads/%2F..%2Fhealthz"]
    for path in missing:
        checks.extend(problem_problems(path, tracker.request(path), 404))
    for bad in ("None", "null", "NULL", "-1", "x" * 257, "%C3%A9" * 129):
        checks.extend(problem_problems(f"id {bad[:20]}", tracker.request(f"/v1/payloads/{bad}"), 400))
        statuses = tracker.request(f"/v1/payloads/{bad}/statuses")
        checks.extend(problem_problems(f"statuses of id {bad[:20]}", statuses, 400))
    for limit in ("0", "-1", "x", "1.5", "", "99999999999999999999", "1%20"):
        answer = tracker.request(f"/v1/payloads/{known}/statuses?limit={limit}")
        checks.extend(problem_problems(f"limit={limit}", answer, 400))
        checks.that(b"limit" in answer.body, f"limit={limit}: the problem does not name it: {answer.body[:200]!r}")
    for wait in ("x", "-1s", "5"):
        checks.extend(problem_problems(f"wait={wait}", tracker.payload(known, f"?wait={wait}"), 400))


def check_methods(tracker: Tracker, checks: Checks, known: str) -> None:
    for path in (f"/v1/payloads/{known}", f"/v1/payloads/{known}/statuses", "/healthz", "/readyz", "/metrics"):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            checks.extend(problem_problems(f"{method} {path}", tracker.request(path, method), 405))
        get, head = tracker.request(path), tracker.request(path, "HEAD")
        checks.equal(f"HEAD {path}", (head.status, head.body), (get.status, b""))
        types = [answer.headers.get("content-type") for answer in (head, get)]
        checks.equal(f"HEAD {path}: content type", *types)
        options = tracker.request(path, "OPTIONS")
        checks.that(options.status in (200, 204), f"OPTIONS {path}: {options.status}")
    checks.that(tracker.payload(known).status == 200, "the payload is gone after a DELETE")


def check_waiting(tracker: Tracker, checks: Checks, known: str) -> None:
    answer = tracker.payload(known, "?wait=30s")
    checks.equal("wait for a completed payload", (answer.status, answer.json.get("outcome")), (200, "completed"))
    started = time.monotonic()
    checks.extend(problem_problems("wait for an unknown one", tracker.payload("f" * 32, "?wait=1s"), 404))
    checks.that(time.monotonic() - started >= 0.9, "an unknown id was not waited for")


@scenario("topics")
def waiting_for_an_outcome(context: Context) -> None:
    """A script that waits for its upload would have to poll, or miss the end."""
    app = context.app().create_input()
    tracker = app.start().wait_until_ready()
    payload_id = sequences.new_id(app.random)
    for value in sequences.message_values(payload_id, sequences.silent_consumer(), 1_700_000_000_000_000, app.random):
        app.send(value)
    app.sender.flush()
    answer = tracker.payload(payload_id, "?wait=40s")
    checks = Checks()
    checks.equal("status", answer.status, 200)
    checks.equal("outcome", answer.json.get("outcome"), "completed")
    checks.done()


@scenario("topics")
def health_and_metrics(context: Context) -> None:
    """Operators would not see that a worker is well, or how much is refused and why."""
    app = context.app().create_input()
    bad = [(value, reason) for _, value, reason in refused_values() if len(value) < 100_000]
    for value, _ in bad:
        app.send(value)
    app.sender.flush()
    tracker = app.start().wait_until_ready()
    checks = Checks()
    checks.equal("/healthz", tracker.status_of("/healthz"), 200)
    checks.equal("/readyz", tracker.status_of("/readyz"), 200)
    read_dead_letters(app, len(bad))
    answer = tracker.request("/metrics")
    checks.that(answer.headers.get("content-type", "").startswith("text/plain"), f"content type {answer.headers}")
    samples, problems = parse_metrics(answer.body.decode())
    checks.extend(problems)
    checks.that(len(samples) > 5, f"only {len(samples)} samples")
    counted: dict[str, float] = {}
    for name, labels, number in samples:
        if "reason" in labels and "dead" in name:
            counted[labels["reason"]] = counted.get(labels["reason"], 0) + number
    expected: dict[str, float] = {}
    for _, reason in bad:
        expected[reason] = expected.get(reason, 0) + 1
    checks.equal("dead letters by reason", {reason: n for reason, n in counted.items() if n}, expected)
    checks.done()
