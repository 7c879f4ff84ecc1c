"""The other commands: send, get, simulate, demo."""

from __future__ import annotations

import json

import sequences
from checks import Checks, documents_converge, model_of, models_of
from message import Rules
from scenarios import Context, scenario

DEMO_SECONDS = 180


@scenario("topics")
def send_and_get(context: Context) -> None:
    """A person at a terminal could neither report a status nor look a payload up."""
    app = context.app().create_input()
    tracker = app.start().wait_until_ready()
    by_arguments, by_lines = sequences.new_id(app.random), sequences.new_id(app.random)
    date, message = "2024-01-02T03:04:05Z", "all\u001b[31m well"
    arguments = ("--service", "ingress", "--status", "success", "--status-msg", message, "--date", date)
    checks = Checks()
    result = app.command("send", "--payload-id", by_arguments, *arguments, "--account", "540155")
    checks.equal(f"send with arguments {result.stderr[:300]!r}: exit code", result.returncode, 0)
    lines = sequences.message_values(by_lines, sequences.extraction_fails(), 1_700_000_000_000_000, app.random)
    result = app.command("send", stdin="\n\n".join(line.decode() for line in lines) + "\n")
    checks.equal(f"send of lines {result.stderr[:300]!r}: exit code", result.returncode, 0)
    fields = {"payload_id": by_arguments, "service": "ingress", "status": "success", "status_msg": message}
    one = model_of([json.dumps({**fields, "date": date, "account": "540155"}).encode()], Rules()).payload
    checks.extend(documents_converge(app, tracker, [one, model_of(lines, Rules()).payload]))
    url = f"http://127.0.0.1:{tracker.port}"
    shown = app.command("get", by_lines, "--url", url, settings={})
    checks.equal(f"get {shown.stderr[:300]!r}: exit code", shown.returncode, 0)
    for word in ("puptoo", "storage-broker", "fail", "Unable to extract facts"):
        checks.that(word in shown.stdout, f"get does not show {word!r}: {shown.stdout[:800]}")
    shown = app.command("get", by_arguments, "--url", url, settings={})
    checks.that("\u001b" not in shown.stdout, "get writes a producer's control characters to the terminal")
    shown = app.command("get", by_lines, "--url", url, "--json", settings={})
    checks.equal("get --json", json.loads(shown.stdout)["payload_id"], by_lines)
    unknown = app.command("get", "0" * 32, "--url", url, settings={})
    checks.equal("get of an unknown payload: exit code", unknown.returncode not in (0, 2), True)
    checks.done()


@scenario()
def get_without_a_worker(context: Context) -> None:
    """A script would take a worker that is down for an unknown payload."""
    result = context.app().command("get", "ab" * 16, "--url", "http://127.0.0.1:9", settings={})
    checks = Checks()
    checks.that(result.returncode not in (0, 4), f"exit code is {result.returncode}")
    checks.equal(f"lines on standard error {result.stderr[:300]!r}", len(result.stderr.strip().splitlines()), 1)
    checks.done()


@scenario("topics")
def wrong_send(context: Context) -> None:
    """A mistake in `send` would be taken for sent."""
    app = context.app().create_input()
    checks = Checks()
    result = app.command("send", "--payload-id", "x")
    checks.equal("send without a service: exit code", result.returncode, 2)
    # A message may have 1 MiB; one that the topic has no room for is told, with what was written before.
    lines = [json.dumps({"payload_id": "x", "service": "s", "status": "success", "m": "x" * n}) for n in (1, 1_040_000)]
    result = app.command("send", stdin="\n".join(lines))
    checks.equal(f"send of a long message {result.stderr[:300]!r}: exit code", result.returncode, 0)
    result = app.command("send", stdin="\n".join([lines[0], lines[0][:-2] + "x" * 3_000_000 + '"}']))
    checks.equal("send of one that is too long: exit code", result.returncode, 1)
    checks.that("1 written before" in result.stderr, f"send of one that is too long: {result.stderr[:300]!r}")
    checks.done()


@scenario("topics")
def simulated_traffic(context: Context) -> None:
    """Realistic traffic for a trial would not be realistic enough to be understood."""
    app = context.app().create_input()
    tracker = app.start().wait_until_ready()
    result = app.command("simulate", "--rate", "500", "--count", "500")
    checks = Checks()
    checks.equal(f"simulate {result.stderr[:300]!r}: exit code", result.returncode, 0)
    reader = app.read(app.input)
    records = reader.read_at_least(500, 20)
    checks.equal("records", len(records), 500)
    payloads, refused = models_of(records, Rules())
    checks.that(len(payloads) > 10 and len(refused) < 100, f"{len(payloads)} payloads, {len(refused)} refused")
    checks.extend(documents_converge(app, tracker, list(payloads.values())))
    checks.done()


@scenario()
def demo(context: Context) -> None:
    """The first thing that a visitor tries would not work."""
    app = context.app()
    result = app.command("demo", settings={}, seconds=DEMO_SECONDS)
    checks = Checks()
    checks.equal(f"exit code {result.stderr[-300:]!r}", result.returncode, 0)
    shown = (result.stdout + result.stderr).lower()
    for words in (("completed",), ("failed",), ("unknown", "not found", "404")):
        checks.that(any(word in shown for word in words), f"the demo does not show {words[0]}: {shown[-800:]}")
    checks.done()
