"""One application of the tracker: its own topics, group and state, so that scenarios never meet on a shared broker."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from random import Random

from brokers import Broker
from records import Reader, Sender, Topics
from tracker import Tracker, environment

COMMAND_SECONDS = 60


class App:
    """Fresh names for everything, and settings that make the timers quick."""

    def __init__(
        self,
        broker: Broker,
        executable: Path,
        directory: Path,
        random: Random,
        partitions: int = 4,
        settings: dict[str, str] | None = None,
    ):
        self.broker = broker
        self.executable = executable
        self.directory = directory
        self.random = random
        self.partitions = partitions
        self.application_id = f"it-{random.getrandbits(48):012x}"
        self.input = f"{self.application_id}.payload-status"
        self.outcomes = f"{self.application_id}.payload-outcomes"
        self.dead_letters = f"{self.application_id}.payload-status-dead-letter"
        self.topics = Topics(broker.bootstrap)
        self.sender = Sender(broker.bootstrap)
        self.trackers: list[Tracker] = []
        self.readers: list[Reader] = []
        self.settings: dict[str, object] = {
            "kafka.bootstrap.servers": broker.bootstrap,
            "topics.input": self.input,
            "topics.outcomes": self.outcomes,
            "topics.dead-letter": self.dead_letters,
            "topics.partitions": partitions,
            "topics.replication-factor": 1,
            "state.dir": directory / "state",
            "commit.interval": "100ms",
            "session.timeout": "6s",
            "completion.settle": "2s",
            "stall.after": "6s",
            **(settings or {}),
        }
        self.become(self.application_id, partitions)
        directory.mkdir(parents=True, exist_ok=True)

    def become(self, application_id: str, partitions: int) -> None:
        """Another application from now on, on the same topics but for the internal ones, which have so many partitions."""
        self.application_id = application_id
        self.payload_partitions = partitions
        self.repartition = f"{application_id}-status-repartition"
        self.changelog = f"{application_id}-payload-changelog"
        self.settings["application.id"] = application_id

    def create_input(self) -> App:
        self.topics.create(self.input, self.partitions, max_message_bytes=str(4 << 20), retention_ms="-1")
        return self

    def start(self, *arguments: str, variables: dict[str, str] | None = None, **settings: object) -> Tracker:
        """Starts `serve`; a setting's `_` stands for a `.`, `__` for a `-`. `variables` go to its environment as they are."""
        named = {key.replace("__", "-").replace("_", "."): value for key, value in settings.items()}
        log = self.directory / f"serve-{len(self.trackers)}.log"
        tracker = Tracker(self.executable, self.settings | named, log, arguments, variables)
        self.trackers.append(tracker)
        return tracker

    def command(
        self,
        *arguments: str,
        stdin: str = "",
        settings: dict[str, object] | None = None,
        seconds: float = COMMAND_SECONDS,
    ) -> subprocess.CompletedProcess:
        """Runs another command to its end; its output as text."""
        return subprocess.run(  # noqa: PLW1510
            [str(self.executable), *arguments],
            env=environment(self.settings if settings is None else settings),
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            cwd=self.directory,
        )

    def send(self, value: bytes | None, partition: int | None = None, **record) -> None:
        """Produces to the input topic; without a partition to any one, as producers without keys do."""
        chosen = self.random.randrange(self.partitions) if partition is None else partition
        self.sender.send(self.input, value, chosen, **record)

    def read(self, topic: str, isolation: str = "read_committed") -> Reader:
        reader = Reader(self.broker.bootstrap, topic, isolation)
        self.readers.append(reader)
        return reader

    def close(self) -> None:
        for tracker in self.trackers:
            if tracker.is_running():
                tracker.send_signal(signal.SIGKILL)
                tracker.process.wait()
        for reader in self.readers:
            reader.close()
