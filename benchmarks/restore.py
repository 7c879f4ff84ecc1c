"""How fast a lost state directory is rebuilt from the changelog: folds many payloads, deletes the state, starts again."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

import brokers
from fleet import restores_in
from records import Topics
from tracker import Tracker, newest_executable

import throughput
from throughput import LIMITED, Process, Run, mebibytes

LONGEST_SECONDS = 1800


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="a broker that is already there")
    parser.add_argument("--broker", choices=("kafka", "noida"), help="the broker to start (default: as integration/)")
    parser.add_argument("--executable", type=Path, help="default: the newest of .build/release and .build/debug")
    parser.add_argument("--payloads", type=int, default=200_000)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--open", type=int, default=5_000, help="payloads that are open at once in the input")
    parser.add_argument("--commit-interval", default="500ms", help="while the state is built")
    parser.add_argument("--rounds", type=int, default=1, help="how often the state is deleted and rebuilt")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", default=[], help="a setting more for the worker")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keeps logs and state")
    return parser.parse_args()


def rebuild(executable: Path, settings: dict[str, object], log: Path) -> str:
    """Starts the worker without its state, and stops it when it is ready; what it took."""
    shutil.rmtree(settings["state.dir"])
    began = time.monotonic()
    tracker = Tracker(executable, settings, log)
    try:
        tracker.wait_until_ready(LONGEST_SECONDS)
        ready = time.monotonic() - began
        process = Process(tracker.process.pid)
        cpu, peak = process.cpu_seconds(), mebibytes(process.memory("VmHWM"))
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


def main() -> None:
    options = arguments()
    messages = options.payloads * len(throughput.lifecycle())
    directory = Path(tempfile.mkdtemp(prefix="payload-tracker-restore-"))
    broker = brokers.choose(options.bootstrap, options.broker, directory)
    options.messages = min(messages, LIMITED.get(broker.kind, messages))
    executable = (options.executable or newest_executable()).resolve()
    topic = f"restore-{os.getpid()}-input"
    run = Run(0, "exactly_once", options.commit_interval)
    try:
        broker.start()
        Topics(broker.bootstrap).create(topic, options.partitions, retention_ms="-1")
        throughput.fill(broker.bootstrap, topic, options)
        # Also so that there is a group coordinator: without one librdkafka 2.16 crashes when asked for a group's offsets.
        throughput.warm_up(broker.bootstrap, topic, options.partitions, options.messages)
        folded = throughput.measure(options, broker.bootstrap, topic, directory / "run", run)
        print(
            f"{broker.kind}, {options.partitions} partitions: {options.messages:,} messages of "
            f"{options.messages // len(throughput.lifecycle()):,} payloads folded at {folded.rate():,.0f}/s, "
            f"{mebibytes(folded.state_bytes):,} MiB of state",
            flush=True,
        )
        settings = throughput.settings_of(options, broker.bootstrap, topic, directory / "run", run)
        for number in range(options.rounds):
            print(rebuild(executable, settings, directory / f"rebuild-{number}.log"), flush=True)
    finally:
        broker.stop()
        if not options.keep:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
