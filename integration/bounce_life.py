"""One process of a member, from its start to its end, and what it wrote to its log."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

CLOSE_SECONDS = 10


class Life:
    """Times are monotonic."""

    def __init__(self, command: list[str], log: Path):
        self.log = log
        self.started = time.monotonic()
        self.ended: float | None = None
        self.was_killed = False
        self.close_hung = False
        self.stops: list[tuple[float, float]] = []
        with log.with_suffix(".stderr").open("wb") as errors:
            self.process = subprocess.Popen(command, stderr=errors)

    def signal(self, kind: int) -> float:
        now = time.monotonic()
        self.process.send_signal(kind)
        return now

    def close(self) -> None:
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(CLOSE_SECONDS)
            self.ended = time.monotonic()
        except subprocess.TimeoutExpired:
            self.close_hung = True
            self.kill()

    def kill(self) -> None:
        self.was_killed = True
        self.ended = self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds: float) -> None:
        began = self.signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.stops.append((began, self.signal(signal.SIGCONT)))

    def was_stopped_before(self, moment: float, within: float) -> bool:
        return any(began < moment < ended + within for began, ended in self.stops)

    @property
    def crash(self) -> int | None:
        """The exit code of an end that nobody asked for. SIGTERM ends a process that is not up yet: no crash."""
        code = self.process.returncode
        return None if self.was_killed or code in (0, -signal.SIGTERM) else code

    def events(self) -> list[dict]:
        """A kill may have cut off the last line."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_bytes().split(b"\n")[:-1]]
