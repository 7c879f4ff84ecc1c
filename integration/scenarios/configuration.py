"""Settings: where they come from, which one counts, and what a wrong one says."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from app import App
from brokers import free_port
from checks import Checks
from scenarios import Context, scenario
from tracker import PREFIX, Tracker, TrackerFailed, environment_name

COMMANDS = ("serve", "demo", "send", "get", "simulate")
PORT_IN_LOG = re.compile(r"(?:127\.0\.0\.1:|localhost:|port\W{1,4})(\d{4,5})\b")
WRONG_VALUES = {
    "http.port": ["abc", "-1", "70000"],
    "commit.interval": ["fast", "-1s", "5", "5 parsecs"],
    "completion.settle": ["-1s", "soon"],
    "stall.after": ["x"],
    "processing.guarantee": ["maybe", "EXACTLY"],
    "topics.partitions": ["0", "-3", "many"],
    "status.aliases": ["done=finished", "done", "=success"],
    "history.max-entries": ["0", "x"],
    "input.keyed-by-payload-id": ["perhaps"],
    "input.offset-reset": ["middle"],
    "stage.recovery": ["never"],
    "retention": ["0", "forever"],
}


def serve_fails(app: App, settings: dict[str, object], *arguments: str) -> subprocess.CompletedProcess:
    return app.command("serve", *arguments, settings={**app.settings, "http.port": 0, **settings})


def refusal_problems(what: str, result: subprocess.CompletedProcess, *names: str) -> list[str]:
    """A wrong setting is exit 2 and exactly one line on standard error that names it."""
    checks = Checks()
    checks.equal(f"{what}: exit code", result.returncode, 2)
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    if checks.equal(f"{what}: lines on standard error {lines[:3]}", len(lines), 1):
        checks.that(any(name in lines[0] for name in names), f"{what}: {lines[0]!r} does not name {names[0]}")
    return checks.problems


@scenario()
def wrong_settings(context: Context) -> None:
    """A typo in a setting would be taken for its default, or stop the start without saying why."""
    app = context.app()
    checks = Checks()
    for setting, values in WRONG_VALUES.items():
        for value in values:
            result = serve_fails(app, {setting: value})
            checks.extend(refusal_problems(f"{setting}={value}", result, setting, environment_name(setting)))
    for name in ("completion.setle", "no.such.thing"):
        result = serve_fails(app, {name: "1s"})
        checks.extend(refusal_problems(f"unknown {name}", result, name, environment_name(name)))
    result = serve_fails(app, {"kafka.no.such.property": "1"})
    checks.extend(refusal_problems("kafka.no.such.property", result, "no.such.property", f"{PREFIX}KAFKA_NO_SUCH"))
    checks.done()


@scenario()
def wrong_state_directory(context: Context) -> None:
    """A state.dir where nothing can be kept would be told as a number, and only when Kafka answers."""
    app = context.app()
    file = app.directory / "file"
    file.write_text("")
    checks = Checks()
    for path in (file, file / "below", Path("/proc/state")):
        settings = {"state.dir": path, "kafka.bootstrap.servers": "127.0.0.1:1"}
        checks.extend(refusal_problems(f"state.dir={path}", serve_fails(app, settings), "state.dir"))
    checks.done()


@scenario()
def wrong_settings_file(context: Context) -> None:
    """A typo in the settings file would be taken for its default, or stop the start without saying why."""
    app = context.app()
    files = {
        "unknown.yaml": ("completion:\n  setle: 1s\n", "completion.setle"),
        "wrong.yaml": ("stall:\n  after: soon\n", "stall.after"),
        "dotted.yaml": ("topics.partitions: none\n", "topics.partitions"),
        "wrong.json": (json.dumps({"commit": {"interval": "fast"}}), "commit.interval"),
        "broken.yaml": ("a: [1,\n", "broken.yaml"),
        "list.yaml": ("- a\n- b\n", "list.yaml"),
    }
    checks = Checks()
    for name, (text, named) in files.items():
        path = app.directory / name
        path.write_text(text)
        checks.extend(refusal_problems(name, serve_fails(app, {}, "--config", str(path)), named))
    result = serve_fails(app, {}, "--config", str(app.directory / "absent.yaml"))
    checks.extend(refusal_problems("absent.yaml", result, "absent.yaml"))
    checks.done()


@scenario()
def wrong_flags(context: Context) -> None:
    """A mistyped flag would be ignored."""
    app = context.app()
    checks = Checks()
    for arguments in (("serve", "--no-such-flag"), ("no-such-command",), ("get",)):
        result = app.command(*arguments)
        checks.equal(f"{' '.join(arguments)}: exit code", result.returncode, 2)
        checks.that(bool(result.stderr.strip()), f"{' '.join(arguments)}: nothing on standard error")
    checks.done()


@scenario("topics")
def precedence(context: Context) -> None:
    """A flag would not beat the environment, or the environment would not beat the file."""
    app = context.app().create_input()
    port = {source: free_port() for source in ("file", "environment", "flag")}
    path = app.directory / "settings.yaml"
    path.write_text(f"http:\n  port: {port['file']}\n")
    flag = port_flag(app, port["flag"])
    checks = Checks()
    for expected, arguments, in_environment in (
        ("file", ("--config", str(path)), None),
        ("environment", ("--config", str(path)), port["environment"]),
        ("flag", ("--config", str(path), *flag), port["environment"]),
    ):
        tracker = app.start(*arguments, http_port=in_environment)
        tracker.port = port[expected]
        try:
            tracker.wait_for(tracker.is_healthy, f"to use the port of the {expected}", 20)
        except TrackerFailed as failure:
            checks.that(False, str(failure))
        tracker.kill()
    checks.done()


def port_flag(app: App, port: int) -> tuple[str, str]:
    """The flag for `http.port`: its own if there is one, else the one for any setting."""
    has_own = "--http-port" in app.command("serve", "--help").stdout
    return ("--http-port", str(port)) if has_own else ("--set", f"http.port={port}")


@scenario("topics")
def any_port(context: Context) -> None:
    """With `http.port = 0` nobody would learn where to ask."""
    tracker = context.app().create_input().start(http_port=0)

    def answers() -> bool:
        for port in PORT_IN_LOG.findall(tracker.log_text()):
            tracker.port = int(port)
            if f":{port}" not in context.broker.bootstrap and tracker.status_of("/healthz") == 200:
                return True
        return False

    tracker.wait_for(answers, "to print the port that it listens on", 30)


@scenario("topics")
def log_that_cannot_be_written(context: Context) -> None:
    """A worker whose log's disk is full, or whose log's reader is gone, would end."""
    app = context.app().create_input()
    checks = Checks()
    for name, errors in (("full disk", "/dev/full"), ("reader that is gone", ">(true)")):
        script = app.directory / "payload-tracker"
        script.write_text(f'#!/bin/bash\nexec "{app.executable}" "$@" 2> {errors}\n')
        script.chmod(0o755)
        tracker = Tracker(script, app.settings, app.directory / "output.log")
        app.trackers.append(tracker)
        tracker.wait_until_ready()
        checks.equal(f"exit code with a log on a {name}", tracker.stop(), 0)
    checks.done()


@scenario("topics")
def missing_input_topic(context: Context) -> None:
    """A typo in the input topic's name would make a worker that waits for ever."""
    app = context.app()
    tracker = app.start()
    code = tracker.wait_for_exit(60)
    checks = Checks()
    checks.that(code != 0, "exit code is 0")
    checks.that(app.input in tracker.log_text(), f"the error does not name {app.input}:\n{tracker.log_tail()}")
    checks.that(app.input not in app.topics.partition_counts(), "the input topic was created without being asked for")
    tracker = app.start("--create-input").wait_until_ready()
    counts = app.topics.partition_counts()
    names = (app.input, app.repartition, app.changelog, app.outcomes, app.dead_letters)
    checks.equal("topics and partitions", {n: counts.get(n) for n in names}, dict.fromkeys(names, app.partitions))
    checks.done()


@scenario()
def help_for_every_command(context: Context) -> None:
    """A user would have to read the source to learn what a command does."""
    app = context.app()
    checks = Checks()
    for arguments in (("--help",), *((command, "--help") for command in COMMANDS)):
        result = app.command(*arguments)
        checks.equal(f"{' '.join(arguments)}: exit code", result.returncode, 0)
        checks.that(len(result.stdout) > 100, f"{' '.join(arguments)}: says {result.stdout!r}")
    checks.done()
