"""Outcomes as they are committed: the stream of server-sent events, and `watch`."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

import sequences
from app import App
from checks import Checks
from scenarios import Context, scenario
from scenarios.lifecycles import send_upload
from tracker import Tracker

PATH = "/v1/outcomes/stream"
EVENT_SECONDS = 40


@dataclass
class Listener:
    """Reads the stream in a thread of its own until it is closed."""

    tracker: Tracker
    query: str = ""
    last_id: str | None = None
    events: list[dict] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.connection = HTTPConnection("127.0.0.1", self.tracker.port, timeout=60)
        headers = {} if self.last_id is None else {"Last-Event-ID": self.last_id}
        self.connection.request("GET", PATH + self.query, headers=headers)
        self.socket = self.connection.sock
        self.response = self.connection.getresponse()
        self.has_ended = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        try:
            while line := self.response.readline():
                text = line.decode().rstrip("\n")
                if not text:
                    self._take(fields)
                    fields = {}
                elif not text.startswith(":"):
                    name, _, value = text.partition(": ")
                    if name in fields or name not in ("id", "event", "data", "retry"):
                        self.problems.append(f"odd line {text!r}")
                    fields[name] = value
        except (OSError, HTTPException):
            # Cut off, by `close` or by the end of the instance.
            pass
        finally:
            self.has_ended.set()

    def _take(self, fields: dict[str, str]) -> None:
        self.last_id = fields.get("id", self.last_id)
        if "data" not in fields:
            return
        event = json.loads(fields["data"])
        if fields.get("event") != event["type"]:
            self.problems.append(f"event {fields.get('event')!r} has data of type {event['type']!r}")
        self.events.append(event)

    def wait(self, count: int) -> None:
        deadline = time.monotonic() + EVENT_SECONDS
        while len(self.events) < count and time.monotonic() < deadline:
            time.sleep(0.05)

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.has_ended.wait(EVENT_SECONDS)
        self.connection.close()


def wait_for_listeners(tracker: Tracker, count: int) -> None:
    line = f"payload_tracker_outcome_listeners {count}"
    tracker.wait_for(lambda: line in tracker.request("/metrics").body.decode(), f"to have {count} listeners")


@scenario("topics")
def stream_of_all_instances(context: Context) -> None:
    """Whoever alerts on the stream would miss failures: those of other instances, or those of a lost connection."""
    app = context.app().create_input()
    first, second = app.start(state_dir=app.directory / "a"), app.start(state_dir=app.directory / "b")
    for tracker in (first, second):
        tracker.wait_until_ready()
    checks = Checks()
    topic = app.read(app.outcomes)
    whole = Listener(first)
    only = Listener(second, "?failed_service=puptoo&type=payload-failed&account=540155")
    checks.equal("content type", whole.response.getheader("content-type"), "text/event-stream; charset=utf-8")

    def send(count: int) -> list[str]:
        steps = (sequences.rhel_upload(), sequences.extraction_fails())
        return [send_upload(app, steps[number % 2]) for number in range(count)]

    sent = send(10)
    whole.wait(10)
    whole.close()
    position = whole.last_id
    sent += send(10)
    records = topic.read_at_least(20, EVENT_SECONDS)
    # Another instance knows the position as well, and what came while nobody listened.
    rest = Listener(second, last_id=position)
    expected = sorted(json.loads(record.value)["id"] for record in records)
    rest.wait(len(expected) - len(whole.events))
    checks.equal("events before and after", sorted(event["id"] for event in whole.events + rest.events), expected)
    checks.equal("payloads", {event["payload_id"] for event in whole.events + rest.events}, set(sent))
    only.wait(10)
    checks.equal("filtered events", {event["payload_id"] for event in only.events}, set(sent[1::2]))
    checks.extend(whole.problems + only.problems + rest.problems)
    checks.equal(
        "a position of another topic", second.request(PATH, headers={"Last-Event-ID": "1.1.1.1.1"}).status, 400
    )
    checks.equal("a broken position", second.request(PATH, headers={"Last-Event-ID": "?"}).status, 400)
    checks.equal("exit code with listeners", second.stop(), 0)
    checks.that(rest.has_ended.wait(5), "the stream goes on after its instance")
    checks.done()


@scenario("topics")
def watch(context: Context) -> None:
    """A person at a terminal could not see failures come in, and a script could not wait for one."""
    app = context.app().create_input()
    tracker = app.start().wait_until_ready()
    url = ("--url", f"http://127.0.0.1:{tracker.port}")
    checks = Checks()
    with ThreadPoolExecutor() as pool:
        arguments = ("watch", "--type", "failed", "--count", "1")
        lines = pool.submit(app.command, *arguments, *url, settings={})
        objects = pool.submit(app.command, *arguments, "--json", *url, settings={})
        wait_for_listeners(tracker, 2)
        completed = send_upload(app, sequences.rhel_upload())
        failed = send_upload(app, sequences.extraction_fails())
        one = pool.submit(app.command, "watch", failed, *url, settings={})
        other = pool.submit(app.command, "watch", completed, "--json", *url, settings={})
        for name, result, code in (
            ("lines", lines, 0),
            ("--json", objects, 0),
            ("a failed one", one, 3),
            ("a completed one", other, 0),
        ):
            done = result.result()
            checks.equal(f"watch {name}: exit code ({done.stderr[-300:]!r})", done.returncode, code)
        shown = lines.result().stdout
        checks.that(failed in shown and "puptoo error: Unable to extract facts" in shown, f"watch shows {shown!r}")
        checks.equal("watch --json", json.loads(objects.result().stdout)["payload_id"], failed)
        checks.that("Unable to extract facts" in one.result().stdout, f"watch ID shows {one.result().stdout[:800]!r}")
        checks.equal("watch ID --json", json.loads(other.result().stdout)["outcome"], "completed")
    checks.done()


def send_large_failures(app: App, count: int) -> None:
    """A payload with many hosts that fails again and again: each event has some 250 kB."""
    about = {"request_id": sequences.new_id(app.random), "service": "puptoo"}
    for number in range(1_000):
        host = f"{number:04d}-{'x' * 240}"
        app.send(json.dumps({**about, "status": "received", "date": 1_700_000_000, "inventory_id": host}).encode(), 0)
    for second in range(2 * count):
        status = "success" if second % 2 else "error"
        app.send(json.dumps({**about, "status": status, "date": 1_700_000_001 + second}).encode(), 0)
    app.sender.flush()


@scenario("topics")
def stream_that_nobody_reads(context: Context) -> None:
    """Clients that are stuck would take memory and places from those who listen."""
    app = context.app().create_input()
    tracker = app.start().wait_until_ready()
    count = 50
    with socket.socket() as stuck:
        # Little room, so that the tracker notices.
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        stuck.connect(("127.0.0.1", tracker.port))
        stuck.sendall(f"GET {PATH} HTTP/1.1\r\nHost: tracker\r\n\r\n".encode())
        wait_for_listeners(tracker, 1)
        listener = Listener(tracker)
        wait_for_listeners(tracker, 2)
        send_large_failures(app, count)
        listener.wait(count)
        checks = Checks()
        # The payload's last word is a success, which settles while this goes on.
        failures = [event for event in listener.events if event["type"] == "payload-failed"]
        checks.equal("failures that who reads was told", len(failures), count)
        checks.extend(listener.problems)
        wait_for_listeners(tracker, 1)
        checks.that(not listener.has_ended.is_set(), "who reads was let go, too")
        listener.close()
        wait_for_listeners(tracker, 0)
    checks.done()
