"""The program under test: started with settings in its environment, asked over HTTP, stopped with signals."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import quote

from brokers import free_port

READY_SECONDS = 60
STOP_SECONDS = 10
REQUEST_SECONDS = 75
REPOSITORY = Path(__file__).resolve().parent.parent
BUILDS = ("release", "debug")
PREFIX = "PAYLOAD_TRACKER_"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


def newest_executable() -> Path:
    found = [REPOSITORY / ".build" / build / "payload-tracker" for build in BUILDS]
    found = [path for path in found if path.exists()]
    if not found:
        sys.exit("no executable: build it first (swift build), or name one with --executable")
    return max(found, key=lambda path: path.stat().st_mtime)


def environment_name(setting: str) -> str:
    return PREFIX + re.sub(r"[.-]", "_", setting).upper()


def environment(settings: dict[str, object]) -> dict[str, str]:
    """The process's environment with these settings and no others; one that is None is not set."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    return inherited | {environment_name(key): str(value) for key, value in settings.items() if value is not None}


def is_ready(port: int) -> bool:
    """Asks once; False also for one that does not answer within two seconds: whoever asks has other things to do."""
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


class TrackerFailed(Exception):
    """The program did not do what every scenario needs of it: start, answer, stop."""


class Tracker:
    """One `payload-tracker serve`. Its output goes to one log file for each start.

    `http.port` is a free port unless the settings name one; with None or 0 whoever asked must set `port`."""

    def __init__(
        self,
        executable: Path,
        settings: dict[str, object],
        log: Path,
        arguments: tuple[str, ...] = (),
        variables: dict[str, str] | None = None,
    ):
        settings = {"http.port": free_port(), **settings}
        self.port = int(settings["http.port"] or 0)
        self.log = log
        self.connection: HTTPConnection | None = None
        self.tls: ssl.SSLContext | None = None
        if settings.get("http.tls.certificate-file"):
            self.trust(settings["http.tls.ca-file"])
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(executable), "serve", *arguments],
                env=environment(settings) | (variables or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=log.parent,
            )

    # HTTP

    def trust(self, authorities: Path) -> None:
        """From the next request on, which is over TLS."""
        self.tls = ssl.create_default_context(cafile=str(authorities))
        self.connection = None

    def connect(self) -> HTTPConnection:
        if self.tls:
            return HTTPSConnection("127.0.0.1", self.port, timeout=REQUEST_SECONDS, context=self.tls)
        return HTTPConnection("127.0.0.1", self.port, timeout=REQUEST_SECONDS)

    def request(self, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> Answer:
        """One request; the connection is kept, and made anew once if the server has closed it."""
        for last_try in (False, True):
            if self.connection is None:
                self.connection = self.connect()
            try:
                self.connection.request(method, path, headers=headers or {})
                response = self.connection.getresponse()
                answered = {key.lower(): value for key, value in response.getheaders()}
                return Answer(response.status, answered, response.read())
            except (OSError, HTTPException):
                self.connection.close()
                self.connection = None
                if last_try:
                    raise
        raise AssertionError("unreachable")

    def payload(self, payload_id: str, query: str = "") -> Answer:
        return self.request(f"/v1/payloads/{quote(payload_id, safe='')}{query}")

    def document(self, payload_id: str) -> dict | None:
        """The payload's document, None while it is unknown or nobody can answer."""
        answer = self.payload(payload_id)
        if answer.status in (404, 503):
            return None
        if answer.status != 200:
            raise TrackerFailed(f"GET {payload_id}: {answer.status} {answer.body[:300]!r}")
        return answer.json

    def statuses(self, payload_id: str, limit: int | None = None) -> list[dict]:
        query = "" if limit is None else f"?limit={limit}"
        answer = self.request(f"/v1/payloads/{quote(payload_id, safe='')}/statuses{query}")
        if answer.status != 200:
            raise TrackerFailed(f"GET {payload_id}/statuses: {answer.status} {answer.body[:300]!r}")
        return answer.json["data"]

    def status_of(self, path: str) -> int | None:
        """The status code, None while there is no answer at all."""
        try:
            return self.request(path).status
        except (OSError, HTTPException):
            return None

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> Tracker:
        self.wait_for(lambda: self.status_of("/readyz") == 200, "to be ready", seconds)
        return self

    def is_healthy(self) -> bool:
        return self.status_of("/healthz") == 200

    def wait_for(self, condition, what: str, seconds: float = READY_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None:
                raise TrackerFailed(
                    f"exited with {self.process.returncode} while waited for {what}:\n{self.log_tail()}"
                )
            if time.monotonic() > deadline:
                raise TrackerFailed(f"waited {seconds} s for it {what}:\n{self.log_tail()}")
            time.sleep(0.1)

    # The process

    def send_signal(self, kind: int) -> None:
        self.process.send_signal(kind)

    def wait_for_exit(self, seconds: float) -> int:
        """The exit code; a process that does not end in time has failed."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TrackerFailed(f"still running after {seconds} s:\n{self.log_tail()}") from None

    def stop(self, kind: int = signal.SIGTERM) -> int:
        self.send_signal(kind)
        return self.wait_for_exit(STOP_SECONDS)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def is_running(self) -> bool:
        return self.process.poll() is None

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def log_tail(self) -> str:
        return "\n".join(f"    | {line[:400]}" for line in self.log_text().splitlines()[-15:])
