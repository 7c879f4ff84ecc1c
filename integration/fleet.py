"""Some instances of one application side by side, each with a state directory and a port of its own."""

from __future__ import annotations

import re
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from app import App
from brokers import free_port
from disk import SmallDisk
from partitioner import partition_of
from tracker import STOP_SECONDS, Tracker, is_ready

# A crash is to end the process. To write a backtrace takes minutes here, and holds the port.
VARIABLES = {"SWIFT_BACKTRACE": "enable=no"}
RESTORED = re.compile(r"restored (\d+) records \((\d+) bytes\) of (\S+) from offset (\d+) in ([\d.]+) s")


@dataclass(frozen=True)
class Restore:
    """A store that caught up with its changelog, from the offset it stood at."""

    partition: str
    offset: int
    records: int
    size: int
    seconds: float


def restores_in(log: str) -> list[Restore]:
    return [
        Restore(partition, int(offset), int(records), int(size), float(seconds))
        for records, size, partition, offset, seconds in RESTORED.findall(log)
    ]


class Instance:
    """One place where the program runs, started again whenever it was killed."""

    def __init__(self, app: App, name: str, settings: dict[str, object], disk: SmallDisk | None):
        self.app = app
        self.name = name
        self.disk = disk
        self.state = (disk.directory if disk else app.directory / name) / "state"
        self.settings = {"state_dir": self.state, "http_port": free_port(), **settings}
        self.tracker: Tracker | None = None
        self.states: list[list[Path]] = [[]]
        """The logs of its starts, those with the same state together."""

    def start(self) -> None:
        self.tracker = self.app.start(variables=VARIABLES, **self.settings)
        self.states[-1].append(self.tracker.log)

    def kill(self) -> None:
        self.tracker.kill()

    def lose_state(self) -> None:
        shutil.rmtree(self.state)
        self.states.append([])

    def pause(self) -> None:
        self.tracker.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.tracker.send_signal(signal.SIGCONT)

    def is_running(self) -> bool:
        return self.tracker.is_running()

    def is_ready(self) -> bool:
        return is_ready(self.tracker.port)

    def stores_that_went_back(self) -> list[str]:
        """Restores that began before an earlier one of the same store did: the store was wiped, or forgot."""
        problems = []
        for logs in self.states:
            furthest: dict[str, int] = {}
            for log in logs:
                for restore in restores_in(log.read_text(errors="replace")):
                    before = furthest.get(restore.partition, 0)
                    if restore.offset < before:
                        where = f"{self.name}, {log.name}: the store of {restore.partition}"
                        problems.append(f"{where} went back from offset {before} to {restore.offset}")
                    furthest[restore.partition] = max(before, restore.offset)
        return problems


class Fleet:
    """The instances of an application, of which the first few are at work: how many may change."""

    def __init__(
        self, app: App, most: int, size: int, settings: dict[str, object], *, is_static: bool, small_disks: bool
    ):
        self.app = app
        self.size = size
        self.owners: dict[int, Instance] = {}
        self.instances: list[Instance] = []
        for number in range(most):
            name = f"instance-{number}"
            disk = SmallDisk(app.directory / name) if small_disks else None
            member = {"group_instance_id": name} if is_static else {}
            self.instances.append(Instance(app, name, settings | member, disk))

    @property
    def active(self) -> list[Instance]:
        return self.instances[: self.size]

    def start(self) -> None:
        for instance in self.active:
            instance.start()

    def leave(self, instance: Instance) -> None:
        """The last one at work stops in an orderly way."""
        self.size -= 1
        instance.tracker.stop()

    def join(self) -> Instance:
        """One more starts, with the state that it had if it was here before."""
        instance = self.instances[self.size]
        self.size += 1
        instance.start()
        return instance

    def wait_until_ready(self, seconds: float) -> None:
        for instance in self.active:
            instance.tracker.wait_until_ready(seconds)

    def document(self, payload_id: str) -> dict | None:
        """The payload's document from whichever instance has it, first the one that had the last of the same partition."""
        owner = self.owners.get(partition_of(payload_id.encode(), self.app.payload_partitions))
        for instance in sorted(self.active, key=lambda instance: instance is not owner):
            document = instance.tracker.document(payload_id)
            if document is not None:
                self.owners[document["partition"]] = instance
                return document
        return None

    def stop(self) -> float:
        """Stops all of them at once, in an orderly way; the seconds it took. One that does not end is a `TrackerFailed`."""
        began = time.monotonic()
        for instance in self.active:
            instance.tracker.send_signal(signal.SIGTERM)
        for instance in self.active:
            instance.tracker.wait_for_exit(STOP_SECONDS - (time.monotonic() - began))
        return time.monotonic() - began

    def close(self) -> None:
        for instance in self.instances:
            if instance.disk:
                instance.disk.unmount()
