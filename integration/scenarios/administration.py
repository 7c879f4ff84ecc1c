"""The commands for operators: topics, status, reset."""

from __future__ import annotations

import json

import sequences
from app import App
from checks import Checks, documents_converge, read_outcomes
from message import Rules
from scenarios import Context, scenario
from scenarios.instances import start_instances
from scenarios.lifecycles import send_anywhere
from tracker import Tracker


def first_line_problems(what: str, result, code: int, *words: str) -> list[str]:
    """The command must fail with one line that holds the words."""
    checks = Checks()
    checks.equal(f"{what}: exit code {result.stdout[-300:]!r}", result.returncode, code)
    lines = result.stderr.strip().splitlines()
    checks.equal(f"{what}: lines on standard error {result.stderr[:500]!r}", len(lines), 1)
    for word in words:
        checks.that(word in result.stderr, f"{what}: {word!r} is not in {result.stderr[:500]!r}")
    return checks.problems


@scenario("topics")
def topics_command(context: Context) -> None:
    """An operator could not tell a topic that loses records from one that is right, nor make those that are missing."""
    app = context.app(partitions=3)
    checks = Checks()
    shown = app.command("topics")
    checks.equal(f"topics without any {shown.stderr[:300]!r}: exit code", shown.returncode, 1)
    checks.equal("topics that are missing", shown.stdout.count("does not exist"), 5)
    checks.equal("topics after that", set(app.topics.partition_counts()) & {app.input, app.changelog}, set())
    spared = app.command("topics", "--create", "--except-input")
    checks.equal(f"topics --create without an input {spared.stderr[:300]!r}: exit code", spared.returncode, 1)
    checks.equal("topics after that", set(app.topics.partition_counts()) & {app.input, app.changelog}, set())
    other = context.app(partitions=3).create_input()
    spared = other.command("topics", "--create", "--except-input")
    checks.equal(f"topics --create with an input {spared.stderr[:300]!r}: exit code", spared.returncode, 0)
    made = app.command("topics", "--create", "--json")
    checks.equal(f"topics --create {made.stdout[-600:]!r} {made.stderr[:300]!r}: exit code", made.returncode, 0)
    found = {topic["role"]: topic for topic in json.loads(made.stdout)["topics"]}
    names = {
        "input": app.input,
        "repartition": app.repartition,
        "changelog": app.changelog,
        "outcomes": app.outcomes,
        "dead-letter": app.dead_letters,
    }
    checks.equal("names", {role: topic["name"] for role, topic in found.items()}, names)
    checks.equal("partitions", {topic["partitions"] for topic in found.values()}, {3})
    checks.equal("cleanup.policy of the changelog", found["changelog"]["cleanup_policy"], "compact")
    checks.equal("of the repartition topic", found["repartition"]["cleanup_policy"], "delete")
    tracker = app.start().wait_until_ready()
    checks.equal("topics while a worker runs: exit code", app.command("topics").returncode, 0)
    tracker.stop()
    app.topics.add_partitions(app.changelog, 5)
    wrong = app.command("topics")
    checks.equal("topics with a changelog that grew: exit code", wrong.returncode, 1)
    checks.that("was built with 5" in wrong.stdout, f"topics does not say what is wrong: {wrong.stdout}")
    checks.done()


@scenario()
def administration_without_kafka(context: Context) -> None:
    """A script that checks the topics would hang, or read a stack trace."""
    app = context.app()
    checks = Checks()
    for name in ("topics", "reset"):
        result = app.command(name, settings={**app.settings, "kafka.bootstrap.servers": "127.0.0.1:9"})
        checks.extend(first_line_problems(f"{name} without Kafka", result, 1, "127.0.0.1:9", "kafka.bootstrap.servers"))
    # A state.dir with a typo in it would be taken for one that is right, and made.
    elsewhere = app.directory / "typo"
    for command in (("state", "verify"), ("state", "list"), ("state", "get", "x")):
        result = app.command(*command, settings={**app.settings, "state.dir": elsewhere})
        checks.extend(first_line_problems(" ".join(command), result, 1, str(elsewhere)))
        checks.that(not elsewhere.exists(), f"{command} has made a state directory")
    checks.done()


@scenario("topics", "transactions")
def status_command(context: Context) -> None:
    """Who looks after the tracker would have to read JSON to see who has what, and how far behind it is."""
    app = context.app(partitions=4).create_input()
    sent = [send_anywhere(app, make(), Rules()).payload for make in sequences.SEQUENCES.values()]
    app.sender.flush()
    trackers = start_instances(app, 2)
    checks = Checks()
    checks.extend(documents_converge(app, trackers[0], sent))
    for tracker in trackers:
        url = f"http://127.0.0.1:{tracker.port}"
        shown = app.command("status", "--url", url)
        checks.equal(f"status {shown.stderr[:300]!r}: exit code", shown.returncode, 0)
        for word in ("running", f"payloads   {len(sent)}:", "behind", *(f":{other.port}" for other in trackers)):
            checks.that(word in shown.stdout, f"status does not show {word!r}: {shown.stdout}")
        found = json.loads(app.command("status", "--url", url, "--json").stdout)
        checks.equal("payloads of all partitions", sum(p["payloads"] for p in found["partitions"]["data"]), len(sent))
        checks.equal("total of the summary", found["summary"]["payloads"]["total"], len(sent))
    trackers[1].kill()
    partial = app.command("status", "--url", f"http://127.0.0.1:{trackers[0].port}")
    checks.equal(f"status after a crash {partial.stdout!r}: exit code", partial.returncode, 3)
    checks.extend(first_line_problems("status of nobody", app.command("status", "--url", "http://127.0.0.1:9"), 1))
    checks.done()


def is_untouched(app: App, tracker: Tracker) -> bool:
    return tracker.is_running() and {app.changelog, app.repartition} <= set(app.topics.partition_counts())


@scenario("topics", "transactions", "volume")
def reset_command(context: Context) -> None:
    """An application could not be begun anew, or a reset would take down a running one or other people's topics."""
    app = context.app(partitions=3).create_input()
    sent = [send_anywhere(app, make(), Rules()).payload for make in sequences.SEQUENCES.values()]
    app.sender.flush()
    tracker = app.start().wait_until_ready()
    checks = Checks()
    checks.extend(documents_converge(app, tracker, sent))
    state = app.directory / "state" / app.application_id

    refused = app.command("reset", "--yes")
    checks.extend(first_line_problems("reset under a worker", refused, 1, app.application_id, "SIGTERM"))
    checks.that(is_untouched(app, tracker), "a reset under a worker has deleted something")
    told = {one.payload_id: 1 for one in sent if one.final_outcome() != "open"}
    before = {key: len(records) for key, records in read_outcomes(app, told).items()}
    tracker.stop()

    shown = app.command("reset", "--dry-run")
    checks.equal(f"reset --dry-run {shown.stderr[:300]!r}: exit code", shown.returncode, 0)
    for word in (app.changelog, app.repartition, f"group {app.application_id}", str(state)):
        checks.that(word in shown.stdout, f"reset --dry-run does not show {word!r}: {shown.stdout}")
    checks.extend(first_line_problems("reset without a terminal", app.command("reset"), 2, "--yes"))
    checks.that(app.changelog in app.topics.partition_counts() and any(state.iterdir()), "it was deleted unasked")

    done = app.command("reset", "--yes")
    checks.equal(f"reset --yes {done.stdout!r} {done.stderr[:300]!r}: exit code", done.returncode, 0)
    left = set(app.topics.partition_counts())
    checks.equal("internal topics that are left", left & {app.changelog, app.repartition}, set())
    checks.that({app.input, app.outcomes, app.dead_letters} <= left, f"topics that are not its own are gone: {left}")
    checks.equal("local state that is left", {path.name for path in state.iterdir()} - {"lock"}, set())
    again = app.command("reset", "--yes")
    checks.equal(f"a second reset {again.stderr[:300]!r}: exit code", again.returncode, 0)
    checks.that("nothing to delete" in again.stdout, f"a second reset says {again.stdout!r}")

    tracker = app.start().wait_until_ready()
    checks.extend(documents_converge(app, tracker, sent))
    after = read_outcomes(app, {key: count + 1 for key, count in before.items()})
    for key, records in after.items():
        revisions = [record.json["revision"] for record in records[before.get(key, 0) :]]
        checks.that(revisions and revisions[0] == 1, f"outcomes of {key} after the reset have revisions {revisions}")
    checks.done()
