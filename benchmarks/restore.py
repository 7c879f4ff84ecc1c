"""How fast a lost state directory is rebuilt from the changelog: folds many payloads, deletes the state, starts again.

`--expired` lets more payloads come and go before, and `--compact` has the broker compact the changelog: what lived is to cost nothing then."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

import brokers
from fleet import restores_in
from records import Topics
from tracker import Tracker, environment, newest_executable

import throughput
from throughput import LIMITED, Process, Progress, Run, mebibytes

LONGEST_SECONDS = 1800
RETENTION = "5s"
"""Of the payloads that expire."""
COMPACTING = {
    "segment.bytes": str(1 << 20),
    "segment.ms": "1000",
    "min.cleanable.dirty.ratio": "0.001",
    "delete.retention.ms": "1000",
}
STEADY_SECONDS = 45
"""The cleaner looks every 15 s, and takes tombstones away in a second pass."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="a broker that is already there")
    parser.add_argument("--broker", choices=("kafka", "noida"), help="the broker to start (default: as integration/)")
    parser.add_argument("--executable", type=Path, help="default: the newest of .build/release and .build/debug")
    parser.add_argument("--payloads", type=int, default=200_000)
    parser.add_argument("--expired", type=int, default=0, help="payloads that come and expire before")
    parser.add_argument("--compact", action="store_true", help="has the broker compact the changelog before it is read")
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--open", type=int, default=5_000, help="payloads that are open at once in the input")
    parser.add_argument("--commit-interval", default="500ms", help="while the state is built")
    parser.add_argument("--rounds", type=int, default=1, help="how often the state is deleted and rebuilt")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", default=[], help="a setting more for the worker")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keeps logs and state")
    return parser.parse_args()


def rebuild(executable: Path, settings: dict[str, object], log: Path, payloads: int) -> str:
    """Starts the worker without its state, and stops it when it is ready and has as many payloads as it should; what it took."""
    shutil.rmtree(settings["state.dir"])
    began = time.monotonic()
    tracker = Tracker(executable, settings, log)
    try:
        tracker.wait_until_ready(LONGEST_SECONDS)
        ready = time.monotonic() - began
        process = Process(tracker.process.pid)
        cpu, peak = process.cpu_seconds(), mebibytes(process.memory("VmHWM"))
        if (found := payloads_of(tracker)) != payloads:
            sys.exit(f"{found:,} payloads were restored, and {payloads:,} were there")
        tracker.stop()
    finally:
        if tracker.is_running():
            tracker.kill()
    restores = restores_in(tracker.log_text())
    records, size = sum(restore.records for restore in restores), sum(restore.size for restore in restores)
    seconds = max(restore.seconds for restore in restores)
    return (
        f"rebuilt out of {records:,} records ({mebibytes(size):,} MiB) in {seconds:.1f} s: "
        f"{records / seconds:,.0f} records/s, {size / (1 << 20) / seconds:,.1f} MiB/s; "
        f"ready {ready:.1f} s after the start, CPU {cpu:.1f} s, peak {peak} MiB"
    )


class Application:
    """The worker's topics and what went into them."""

    def __init__(self, options: argparse.Namespace, broker: brokers.Broker, directory: Path):
        self.options, self.broker, self.directory = options, broker, directory
        self.topics = Topics(broker.bootstrap)
        self.topic = f"restore-{os.getpid()}-input"
        self.topics.create(self.topic, options.partitions, retention_ms="-1")
        run = Run(0, "exactly_once", options.commit_interval)
        self.settings = throughput.settings_of(options, broker.bootstrap, self.topic, directory / "run", run)
        self.name = str(self.settings["application.id"])
        self.progress = Progress(broker.bootstrap, self.name, self.topic, f"{self.name}-status-repartition", messages=0)
        (directory / "run").mkdir()

    @property
    def changelog(self) -> str:
        return f"{self.name}-payload-changelog"

    def fold(self, messages: int, seed: int, payloads_left: int | None = None, **settings: str) -> int:
        """Fills the input and starts a worker that folds it; the bytes of its state.

        `payloads_left`: it goes on until so many have not expired."""
        filling = {**vars(self.options), "messages": messages, "seed": seed}
        throughput.fill(self.broker.bootstrap, self.topic, argparse.Namespace(**filling))
        self.progress.messages += messages
        # Also so that there is a group coordinator: without one librdkafka 2.16 crashes when asked for a group's offsets.
        throughput.warm_up(self.broker.bootstrap, self.topic, self.options.partitions, self.progress.messages)
        tracker = Tracker(self.executable, {**self.settings, **settings}, self.directory / f"fold-{seed}.log")
        try:
            tracker.wait_until_ready(LONGEST_SECONDS)
            if self.options.compact:
                # Before there is much in it: a segment that is written to is never compacted.
                self.topics.configure(self.changelog, COMPACTING)
            tracker.wait_for(self.progress.is_done, "to fold everything", LONGEST_SECONDS)
            if payloads_left is not None:
                tracker.wait_for(lambda: payloads_of(tracker) == payloads_left, "to let them expire", LONGEST_SECONDS)
            size = throughput.size_of(Path(self.settings["state.dir"]))
            tracker.stop()
        finally:
            if tracker.is_running():
                tracker.kill()
        return size

    @property
    def executable(self) -> Path:
        return (self.options.executable or newest_executable()).resolve()

    def wait_until_compacted(self) -> None:
        """Returns when the log does not get smaller any more."""
        size, since = -1, time.monotonic()
        while time.monotonic() - since < STEADY_SECONDS:
            time.sleep(1)
            now = throughput.bytes_in_topics(self.broker, self.changelog)
            if now is None:
                sys.exit("--compact needs a Kafka that this command starts: KAFKA_HOME")
            if now != size:
                size, since = now, time.monotonic()

    def log_size(self) -> str:
        size = throughput.bytes_in_topics(self.broker, self.changelog)
        return "" if size is None else f", a changelog of {mebibytes(size):,} MiB in the broker"


def verify(executable: Path, settings: dict[str, object]) -> None:
    """Ends the benchmark if a store is not what its changelog makes of it."""
    done = subprocess.run(
        [str(executable), "state", "verify"], env=environment(settings), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"the stores are not what their changelogs say:\n{done.stdout}{done.stderr}")


def payloads_of(tracker: Tracker) -> int:
    return sum(partition["payloads"] or 0 for partition in tracker.request("/v1/partitions").json["data"])


def main() -> None:
    options = arguments()
    steps = len(throughput.lifecycle())
    directory = Path(tempfile.mkdtemp(prefix="payload-tracker-restore-"))
    broker = brokers.choose(options.bootstrap, options.broker, directory)
    messages = min(options.payloads * steps, LIMITED.get(broker.kind, options.payloads * steps))
    try:
        broker.start()
        application = Application(options, broker, directory)
        if options.expired:
            application.fold(options.expired * steps, options.seed + 1, payloads_left=0, retention=RETENTION)
        state = application.fold(messages, options.seed)
        if options.compact:
            application.wait_until_compacted()
        print(
            f"{broker.kind}, {options.partitions} partitions: {messages // steps:,} payloads after {options.expired:,} that expired, "
            f"{mebibytes(state):,} MiB of state{application.log_size()}",
            flush=True,
        )
        for number in range(options.rounds):
            log = directory / f"rebuild-{number}.log"
            print(rebuild(application.executable, application.settings, log, messages // steps), flush=True)
        verify(application.executable, application.settings)
    finally:
        broker.stop()
        if options.keep:
            print(f"logs and state are in {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
