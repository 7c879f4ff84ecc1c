"""Input that cannot be taken: nothing is dropped, nothing stops the worker, everything is found again."""

from __future__ import annotations

import json

import sequences
from app import App
from checks import Checks, documents_converge, models_of
from message import MAX_VALUE_BYTES, Rules
from records import Record
from scenarios import Context, scenario

GOOD = {"payload_id": "ab" * 16, "service": "s", "status": "success", "date": "2024-01-02T03:04:05Z"}
NAMES_OF_FIELD_REASONS = {"missing-payload-id", "bad-payload-id", "missing-service", "missing-status", "bad-date"}


def value(**fields) -> bytes:
    """A good message with other fields; a field set to `...` is left out."""
    return json.dumps({k: v for k, v in {**GOOD, **fields}.items() if v is not ...}, ensure_ascii=False).encode()


def raw(member: bytes) -> bytes:
    """A good message with one more member as it stands."""
    return value()[:-1] + b"," + member + b"}"


def sized(size: int, **fields) -> bytes:
    """A message of exactly that many bytes."""
    return value(**fields, padding="x" * (size - len(value(**fields, padding=""))))


def refused_values() -> list[tuple[str, bytes, str]]:
    """What each value is, the value, and the reason it is refused for."""
    return [
        ("1 MiB and a byte", sized(MAX_VALUE_BYTES + 1), "too-large"),
        ("large garbage", b"x" * (MAX_VALUE_BYTES + 1), "too-large"),
        *((f"not JSON {v[:30]!r}", v, "not-json") for v in not_json()),
        *((f"not an object {v!r}", v, "not-an-object") for v in not_objects()),
        *((f"id {v!r}", value(payload_id=v), "missing-payload-id") for v in (..., None, "", "  ")),
        ("both ids empty", value(payload_id="", request_id=None), "missing-payload-id"),
        *((f"id {v!r}", value(payload_id=v), "bad-payload-id") for v in bad_ids()),
        ("bad id under the later name", value(request_id="-1"), "bad-payload-id"),
        *((f"service {v!r}", value(service=v), "missing-service") for v in (..., None, "", " \t")),
        *((f"service {v!r}", value(service=v), "bad-field") for v in (1, True, [], {}, "x" * 129, "é" * 65)),
        *((f"status {v!r}", value(status=v), "missing-status") for v in (..., None, "", "\n")),
        *((f"status {v!r}", value(status=v), "bad-field") for v in (0, False, ["success"], {})),
        *((f"status {v[:20]!r}", value(status=v), "unknown-status") for v in ("sucess", "none", "x" * 5000, "成功")),
        *((f"{name} {v!r}", value(**{name: v}), "bad-field") for name, v in bad_attributes()),
        *((f"status_msg {v!r}", value(status_msg=v), "bad-field") for v in (1, True, [], {"a": 1})),
        *((f"date {v!r}", value(date=v), "bad-date") for v in bad_dates()),
        ("huge number as date", raw(b'"date":1e300').replace(b'"date": "2024-01-02T03:04:05Z",', b""), "bad-date"),
        ("id before service", value(payload_id="-1", service=1), "bad-payload-id"),
        ("service before status", value(service=..., status="odd"), "missing-service"),
        ("status before fields", value(status="odd", source=[]), "unknown-status"),
        ("fields before date", value(account=[], date="odd"), "bad-field"),
    ]


def not_json() -> list[bytes]:
    whole = value()
    return [
        b"",
        b" ",
        b"\x00",
        b"\xff\xfe\x00\x01",
        b"nonsense",
        whole[:-1],
        whole + b"}",
        whole + b" x",
        whole + whole,
        whole.replace(b'"', b"'"),
        whole[:-1] + b",}",
        b"\x93" + whole,
        raw(b'"a":NaN'),
        raw(b'"a":Infinity'),
        raw(b'"a":-'),
        raw(b'"a":01'),
        raw(b'"a":1.'),
        raw(b'"a":.5'),
        raw(b'"a":0x10'),
        raw(b'"a":tru'),
        raw(b'"a":"\\x41"'),
        raw(b'"a":"\\u12"'),
        raw(b'"a":"line\nbreak"'),
        raw(b'"a":"\x01"'),
        raw(b'"a":[1,]'),
        raw(b'"a":[1 2]'),
        raw(b"a:1"),
        raw(b'"a" 1'),
        raw(b'"status_msg":"\xff"'),
        raw(b'"status_msg":"\xc3"'),
        raw(b'"unknown":"\xed\xa0\x80"'),
        raw(b'"unknown":"\xc0\xaf"'),
        raw(b'"a":1 // comment'),
    ]


def not_objects() -> list[bytes]:
    return [b"[]", b"null", b"true", b"1", b'"text"', b"[" + value() + b"]", b" -1.5e3 "]


def bad_ids() -> list:
    return ["None", "none", "null", "NULL", " null ", "-1", -1, 7, True, [], {}, "x" * 257, "é" * 129]


def bad_attributes() -> list[tuple[str, object]]:
    names = ("source", "account", "org_id", "inventory_id", "system_id")
    return [(name, wrong) for name in names for wrong in (True, [], {}, "x" * 257)] + [("account", "é" * 129)]


def bad_dates() -> list:
    texts = ["yesterday", "2024-01-02", "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "2024-01-02T25:00:00Z"]
    texts += ["2024-01-02T03:61:00Z", "24-01-02T03:04:05Z", "2024-01-02T03:04:05Zjunk", "2024-01-02T03:04:05+99:00"]
    texts += ["2024/01/02 03:04:05", "Tue, 02 Jan 2024 03:04:05 GMT", "2023-02-29T00:00:00Z", "1704164645", "None"]
    return texts + [True, [], {"a": 1}]


def accepted_values() -> list[tuple[str, bytes]]:
    """What each value is, and the value: close to refusal, and good."""
    several = {"payload_id": "None", "request_id": "cd" * 16}
    return [
        ("exactly 1 MiB", sized(MAX_VALUE_BYTES, payload_id="one-mib")),
        ("id of 256 bytes", value(payload_id="é" * 128)),
        ("id of 256 bytes after trimming", value(payload_id="  " + "y" * 256 + "\n")),
        ("service of 128 bytes", value(payload_id="s128", service="é" * 64)),
        *((f"{name} of 256 bytes", value(**{"payload_id": f"{name}256", name: "x" * 256})) for name in long_names()),
        ("the later name wins", value(**several)),
        ("an empty later name does not", value(payload_id="not-null", request_id="")),
        ("white space around", b" \r\n\t" + value(payload_id="white") + b"\n"),
        ("nested 200 deep in an unknown field", value(payload_id="deep")[:-1] + b',"u":' + nested(200) + b"}"),
        ("big numbers in an unknown field", value(payload_id="big")[:-1] + b',"u":[1e400,123456789012345678901]}'),
        ("unknown fields of every type", value(payload_id="unknown", a=None, b=[1, {}], c={"status": "x"}, d=1.5)),
        ("escaped field names", value(payload_id="esc").replace(b'"status"', b'"st\\u0061tus"')),
        ("null everywhere it may be", value(payload_id="nulls", **dict.fromkeys(long_names()), status_msg=None)),
        ("id like a number", value(payload_id="12345")),
        ("id of braces", value(payload_id="{}")),
    ]


def long_names() -> tuple[str, ...]:
    return ("source", "account", "org_id", "inventory_id", "system_id")


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def either_values() -> list[tuple[str, bytes]]:
    """Values that the contract leaves open: refused as not-json or accepted, but never lost."""
    return [
        ("nested 100,000 deep", value(payload_id="either-deep")[:-1] + b',"u":' + nested(100_000) + b"}"),
        ("a lone surrogate", value(payload_id="either-surrogate")[:-1] + b',"u":"\\ud800"}'),
        ("a byte order mark", b"\xef\xbb\xbf" + value(payload_id="either-bom")),
    ]


def send_all(app: App) -> tuple[list[Record], list[Record]]:
    """Sends all of it, mixed; gives the records whose fate is known, and the others."""
    known = [bad for _, bad, _ in refused_values()] + [good for _, good in accepted_values()]
    known += [None, None, None]
    app.random.shuffle(known)
    for i, record in enumerate(known):
        key = app.random.choice([None, b"", b"key-%d" % i, b"\xff\x00"])
        headers = app.random.choice([(), (("trace", b"\x00\xff"), ("trace", b"again"), ("empty", None))])
        app.send(record, key=key, headers=headers, timestamp_ms=1_700_000_000_000 + i)
    sent = list(app.sender.flush())
    for _, record in either_values():
        app.send(record)
    return sent, app.sender.flush()[len(sent) :]


def dead_letter_problems(app: App, letter: Record, record: Record, reason: str) -> list[str]:
    what = f"dead letter of {record.partition}/{record.offset} {(record.value or b'')[:60]!r}"
    checks = Checks()
    checks.equal(f"{what}: dlq.reason", letter.header("dlq.reason"), reason)
    checks.that(letter.value == record.value, f"{what}: its value is not the record's, byte for byte")
    checks.equal(f"{what}: key", letter.key, record.key)
    kept = tuple(header for header in letter.headers if not header[0].startswith("dlq."))
    checks.equal(f"{what}: headers", kept, record.headers)
    checks.equal(f"{what}: dlq.topic", letter.header("dlq.topic"), app.input)
    checks.equal(f"{what}: dlq.timestamp", letter.header("dlq.timestamp"), str(record.timestamp))
    checks.that(letter.timestamp > record.timestamp, f"{what}: has the old timestamp {letter.timestamp}")
    detail = letter.header("dlq.detail") or ""
    checks.that(len(detail) > 10, f"{what}: dlq.detail is {detail!r}")
    if reason in NAMES_OF_FIELD_REASONS:
        field = reason.removeprefix("missing-").removeprefix("bad-").replace("-", "_")
        named = field in detail or (field == "payload_id" and "request_id" in detail)
        checks.that(named, f"{what}: dlq.detail {detail!r} does not name {field}")
    return checks.problems


def place(letter: Record) -> tuple[int, int]:
    """Where the dead letter's record lay."""
    return int(letter.header("dlq.partition") or -1), int(letter.header("dlq.offset") or -1)


def read_dead_letters(app: App, expected: int, seconds: float = 60) -> list[Record]:
    reader = app.read(app.dead_letters)
    reader.read(seconds, lambda records: len({place(record) for record in records}) >= expected)
    return reader.read(1.5)


@scenario("topics", "transactions")
def every_kind_of_bad_record(context: Context) -> None:
    """A record that cannot be taken would vanish, be changed, or stop the worker."""
    app = context.app(partitions=3).create_input()
    known, either = send_all(app)
    payloads, refused = models_of(known, Rules())
    tracker = app.start().wait_until_ready()
    checks = Checks()
    checks.extend(documents_converge(app, tracker, list(payloads.values())))
    letters = {place(letter): letter for letter in read_dead_letters(app, len(refused))}
    by_place = {(record.partition, record.offset): record for record in known}
    for where, reason in refused.items():
        if checks.that(where in letters, f"lost: {reason} {by_place[where].value[:80]!r}"):
            checks.extend(dead_letter_problems(app, letters[where], by_place[where], reason))
    undecided = {(record.partition, record.offset) for record in either}
    for where in letters.keys() - refused.keys() - undecided:
        letter = letters[where]
        checks.that(False, f"refused as {letter.header('dlq.reason')}: {(letter.value or b'null')[:80]!r}")
    for record in either:
        checks.extend(either_problems(tracker, letters, record))
    checks.that(tracker.is_running(), "the worker has stopped")
    checks.done()


def either_problems(tracker, letters: dict[tuple[int, int], Record], record: Record) -> list[str]:
    """A value that may be refused or accepted is one of both."""
    letter = letters.get((record.partition, record.offset))
    if letter is not None:
        reason = letter.header("dlq.reason")
        return [] if reason == "not-json" else [f"{record.value[:80]!r} is refused as {reason}"]
    payload_id = record.value.split(b'"payload_id": "')[1].split(b'"')[0].decode()
    known = tracker.document(payload_id) is not None
    return [] if known else [f"neither accepted nor in the dead-letter topic: {record.value[:80]!r}"]


@scenario("topics", "transactions")
def equal_keys_in_one_object(context: Context) -> None:
    """A message that names a field twice would be read one way today and another way after a restart."""
    app = context.app(partitions=1).create_input()
    for i in range(20):
        twice = b'{"payload_id":"one-%d","payload_id":"two-%d","service":"s","status":"success"}' % (i, i)
        app.send(twice)
    app.sender.flush()
    tracker = app.start().wait_until_ready()
    tracker.wait_for(lambda: tracker.document("one-19") or tracker.document("two-19"), "to fold the last record")
    known = {name for name in ("one", "two") if tracker.document(f"{name}-0")}
    checks = Checks()
    checks.equal("names that counted", len(known), 1)
    for i in range(20):
        found = {name for name in ("one", "two") if tracker.document(f"{name}-{i}")}
        checks.equal(f"names that counted in message {i}", found, known)
    checks.done()


@scenario("topics", "transactions")
def more_stages_than_are_kept(context: Context) -> None:
    """A payload with endless stages would grow without end, or its further entries would vanish."""
    app = context.app(partitions=1).create_input()
    payload_id = sequences.new_id(app.random)
    for i in range(260):
        app.send(value(payload_id=payload_id, service=f"s{i:03d}", date="2024-01-02T03:04:05Z"))
    app.sender.flush()
    tracker = app.start().wait_until_ready()
    letters = read_dead_letters(app, 4)
    checks = Checks()
    checks.equal("dead letters", len(letters), 4)
    for letter in letters:
        checks.equal("dlq.reason", letter.header("dlq.reason"), "too-many-stages")
        checks.equal("dlq.topic", letter.header("dlq.topic"), app.repartition)
    tracker.wait_for(lambda: tracker.document(payload_id), "to know the payload")
    checks.equal("stages", len(tracker.document(payload_id)["stages"]), 256)
    checks.done()


@scenario("topics", "transactions")
def dead_letter_topic_with_a_limit(context: Context) -> None:
    """A record too large for the dead-letter topic would stop the worker or be lost."""
    app = context.app(partitions=1).create_input()
    app.topics.create(app.dead_letters, 1, max_message_bytes="1048588")
    large = app.random.randbytes(MAX_VALUE_BYTES + 200_000)
    app.send(large, key=b"k")
    app.send(b"nonsense", key=bytes(len(large)))
    app.send(b"nonsense", key=b"k", headers=[("h", bytes(len(large)))])
    app.sender.flush()
    tracker = app.start().wait_until_ready()
    letters = read_dead_letters(app, 3)
    checks = Checks()
    reasons = ["too-large", "not-json", "not-json"]
    checks.equal("dead letters", [letter.header("dlq.reason") for letter in letters], reasons)
    if len(letters) == len(reasons):
        dropped = [(letter.header("dlq.key-dropped"), letter.header("dlq.headers-dropped")) for letter in letters]
        checks.equal("what was dropped", dropped, [(None, None), ("true", None), (None, "true")])
        checks.equal("keys", [letter.key for letter in letters], [b"k", None, b"k"])
        checks.that(letters[0].value == large[: 512 << 10], "the value is not the first 512 KiB")
        checks.that(letters[0].header("dlq.truncated") is not None, "no dlq.truncated")
        checks.equal("dlq.original-size", letters[0].header("dlq.original-size"), str(len(large)))
    checks.that(tracker.is_running(), "the worker has stopped")
    checks.done()
