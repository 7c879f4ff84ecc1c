"""Attributes, messages and words as they are kept."""

from __future__ import annotations

import json

import sequences
from app import App
from checks import Checks, documents_converge, history_problems, model_of, read_outcomes
from message import Rules
from model import Payload
from scenarios import Context, scenario


def value_of(payload_id: str, **fields) -> bytes:
    given = {"payload_id": payload_id, "service": "s", "status": "success", "date": "2024-01-02T03:04:05Z"}
    return json.dumps({**given, **fields}, ensure_ascii=False).encode()


def nth_second(i: int) -> str:
    return f"2024-01-02T03:{i // 60:02d}:{i % 60:02d}Z"


def send_payload(app: App, values: list[bytes], rules: Rules = Rules()) -> Payload:
    for value in app.random.sample(values, len(values)):
        app.send(value)
    return model_of(values, rules).payload


def judge(app: App, payloads: list[Payload], **settings) -> None:
    app.sender.flush()
    tracker = app.start(**settings).wait_until_ready()
    checks = Checks()
    checks.extend(documents_converge(app, tracker, payloads))
    for payload in payloads:
        checks.extend(history_problems(tracker, payload))
    checks.done()


@scenario("topics", "transactions")
def attributes(context: Context) -> None:
    """Accounts, organisations and hosts of a payload would be lost, mixed up or rounded."""
    app = context.app().create_input()
    early, late = "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"
    ids = [sequences.new_id(app.random) for _ in range(14)]
    raw = b'{"payload_id":"%s","service":"s","status":"success","date":"2024-01-02T03:04:05Z",%s}'
    numbers = [b"1e2", b"540155.0", b"-0", b"12345678901234567890123", b"0.10", b"1E+5"]
    payloads = [
        send_payload(app, [value_of(ids[0], date=early, account="b"), value_of(ids[0], date=late, account="a")]),
        send_payload(app, [value_of(ids[1], account="a"), value_of(ids[1], account="b", org_id="é")]),
        send_payload(app, [value_of(ids[2], date=early, account="x"), value_of(ids[2], date=late, account="None")]),
        send_payload(app, [value_of(ids[3], date=early, org_id="x"), value_of(ids[3], date=late, org_id=" ")]),
        send_payload(app, [value_of(ids[4], inventory_id=f"h{i % 7}", system_id=f"s{i % 3}") for i in range(20)]),
        send_payload(app, [value_of(ids[5], source=source) for source in ("", "None", "NULL", None, " A ", "a")]),
        send_payload(app, [value_of(ids[6], service=" PupToo ", status=" SUCCESS ", source=" Ä ")]),
    ]
    for payload_id, number in zip(ids[7:], numbers):
        payloads.append(send_payload(app, [raw % (payload_id.encode(), b'"account":' + number)]))
    values = [raw % (ids[13].encode(), b'"system_id":%s' % number) for number in numbers]
    payloads.append(send_payload(app, values))
    judge(app, payloads)


@scenario("topics", "transactions")
def more_hosts_than_are_kept(context: Context) -> None:
    """A payload with more than 1,000 hosts would grow without end, or forget the latest ones silently."""
    app = context.app().create_input()
    payload_id = sequences.new_id(app.random)
    values = [value_of(payload_id, inventory_id=f"host-{i:04d}", date=nth_second(i)) for i in range(1010)]
    judge(app, [send_payload(app, values, Rules(history_max_entries=2000))], history_max__entries=2000)


@scenario("topics", "transactions")
def status_messages(context: Context) -> None:
    """Long or odd messages would be cut in the middle of a character, or make two entries of one."""
    app = context.app().create_input()
    rules = Rules(status_msg_max_bytes=64)
    texts = ["", "x" * 64, "x" * 65, "é" * 32, "é" * 33, "x" + "é" * 32, "€" * 22, "😀" * 17, "x" * 500_000]
    texts += ['quote " \\ \n \t \u0001 \u0000 end', "a" * 61 + "éb", "a" * 60 + "😀b"]
    payloads = [send_payload(app, [value_of(sequences.new_id(app.random), status_msg=text)], rules) for text in texts]
    same = sequences.new_id(app.random)
    payloads.append(send_payload(app, [value_of(same, status_msg="y" * 70 + end) for end in "abc"], rules))
    absent = sequences.new_id(app.random)
    payloads.append(send_payload(app, [value_of(absent, status_msg=text) for text in (None, "", "a")], rules))
    judge(app, payloads, status__msg_max__bytes=64)


@scenario("topics", "transactions")
def words_and_aliases(context: Context) -> None:
    """A word that a team's services say and its settings name would be refused or misread."""
    app = context.app().create_input()
    rules = Rules(aliases={"done": "success", "oops": "failure", "queued": "received"})
    words = ["done", "OOPS", "queued", "error", "failed", "processing_error", "rejected", "processing_success"]
    words += ["successful", "completed", "recieved", "processed", "validated", "announced", "advertised", "Invalid"]
    payloads = [send_payload(app, [value_of(sequences.new_id(app.random), status=word)], rules) for word in words]
    judge(app, payloads, status_aliases="done=success,oops=failure,queued=received")


@scenario("topics", "transactions")
def dates(context: Context) -> None:
    """A date in a form that some service uses would put its entry at a wrong place of the history."""
    app = context.app().create_input()
    timestamp = 1_700_000_000_123
    forms = ["2024-01-02T03:04:05Z", "2024-01-02 03:04:05.123456", "2024-01-02T03:04:05.123456789Z"]
    forms += ["2024-01-02T03:04:05.1+00:00", "2024-01-02T03:04:05+0000", "2024-01-02 03:04:05.12 +00:00"]
    forms += ["2024-02-29T23:59:59.9999999999999Z", "2024-01-02T03:04:05", "1970-01-01T00:00:01Z"]
    forms += ["2024-01-02T03:04:05.000001+02:00", "2024-01-02T03:04:05-0530", None, ""]
    forms += [1704164645, 1704164645.123456, 1704164645123, 1704164645123.5, 99999999999, 100000000000]
    payloads = []
    for form in forms:
        value = value_of(sequences.new_id(app.random), date=form)
        app.send(value, timestamp_ms=timestamp)
        payloads.append(model_of([value], Rules(), timestamp).payload)
    without = json.dumps({"request_id": sequences.new_id(app.random), "service": "s", "status": "success"}).encode()
    app.send(without, timestamp_ms=timestamp)
    payloads.append(model_of([without], Rules(), timestamp).payload)
    judge(app, payloads)


@scenario("topics", "transactions")
def long_history(context: Context) -> None:
    """A chatty payload would grow without end, or lose its newest entries or the reason of its failure."""
    app = context.app().create_input()
    rules = Rules(history_max_entries=20)
    payload_id = sequences.new_id(app.random)
    values = [value_of(payload_id, service="failing", status="error", status_msg="why", date=nth_second(0))]
    values += [value_of(payload_id, service="done", date=nth_second(1))]
    values += [value_of(payload_id, service="chatty", status="processing", date=nth_second(i)) for i in range(2, 100)]
    for value in values:
        app.send(value, 0)
    payload = model_of(values, rules).payload
    judge(app, [payload], history_max__entries=20)
    events = read_outcomes(app, {payload_id: 1})[payload_id]
    checks = Checks()
    checks.equal("reason", events[0].json["reason"]["status_msg"], "why")
    checks.done()
