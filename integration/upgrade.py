"""Upgrades instances one by one under load from another executable, with their state, back, and up again, and judges as `faults` does."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import brokers
import invariants
from checks import Checks
from faults import SECONDS_OF_A_PAYLOAD, START_SECONDS, TIMERS
from fleet import Fleet, restores_in
from invariants import Verdict
from judged import Clock, judge
from load import MESSAGES_OF_A_PAYLOAD, Load, traffic
from scenarios import Context
from tracker import newest_executable

PARTITIONS = 6
GUARANTEES = ("at_least_once", "exactly_once")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True, metavar="EXECUTABLE", help="the version before")
    parser.add_argument("--executable", type=Path, help="default: the newest of .build/release and .build/debug")
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="a broker that is already there")
    parser.add_argument("--guarantee-before", choices=GUARANTEES, default="exactly_once")
    parser.add_argument("--instances", type=int, default=2)
    parser.add_argument("--rate", type=float, default=200, help="messages a second")
    parser.add_argument("--seconds", type=float, default=15, help="from one change of an instance to the next")
    parser.add_argument("--no-way-back", action="store_true", help="only up")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats a run's random choices")
    parser.add_argument("--keep", action="store_true", help="keeps logs and state")
    return parser.parse_args()


def run(context: Context, options: argparse.Namespace, tell: Callable[[str], None]) -> list[Verdict]:
    app = context.app(PARTITIONS).create_input()
    after = (app.executable, "exactly_once")
    before = (options.before.resolve(), options.guarantee_before)
    fleet = Fleet(app, options.instances, options.instances, TIMERS, is_static=True, small_disks=False)

    def change(versions: tuple[Path, str]) -> None:
        app.executable, guarantee = versions
        for instance in fleet.instances:
            if instance.tracker:
                instance.tracker.stop()
            instance.settings["processing_guarantee"] = guarantee
            instance.start()
            instance.tracker.wait_until_ready(START_SECONDS)
            replayed = sum(restore.records for restore in restores_in(instance.tracker.log_text()))
            tell(f"{instance.name} runs {app.executable.name}, {guarantee}; {replayed:,} records read from changelogs")
            time.sleep(options.seconds)

    try:
        open_payloads = max(1, round(options.rate * SECONDS_OF_A_PAYLOAD / MESSAGES_OF_A_PAYLOAD))
        load = Load(app, traffic(app.random, open_payloads), options.rate)
        change(before)
        load.start()
        time.sleep(options.seconds)
        change(after)
        if not options.no_way_back:
            change(before)
            change(after)
        load.stop()
        records = app.sender.flush()
        fleet.wait_until_ready(START_SECONDS)
        repeats = options.guarantee_before == "at_least_once"
        verdicts = invariants.of_records(app, fleet, records, repeats=repeats)
        checks = Checks()
        seconds = fleet.stop()
        for instance in fleet.instances:
            checks.equal(f"{instance.name}: exit code after SIGTERM", instance.tracker.process.returncode, 0)
        verdicts.append(Verdict("SIGTERM ends all with 0", f"within {seconds:.1f} s", checks.problems))
        return [*verdicts, invariants.stores_as_changelog(fleet, upgraded=True)]
    finally:
        context.close()


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    directory = Path(tempfile.mkdtemp(prefix="payload-tracker-upgrade-"))
    broker = brokers.choose(options.bootstrap, "kafka", directory)

    def run_and_tell() -> list[Verdict]:
        executable = (options.executable or newest_executable()).resolve()
        print(f"from {options.before} to {executable} on {broker.kind} at {broker.bootstrap}, seed {options.seed}\n")
        context = Context(broker, executable, directory / "run", Random(options.seed), {})
        return run(context, options, Clock().tell)

    return judge(broker, directory, options.keep, run_and_tell)


if __name__ == "__main__":
    sys.exit(main())
