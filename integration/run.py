"""Runs the black-box scenarios against a built `payload-tracker` and a broker."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
import traceback
import zlib
from pathlib import Path
from random import Random

import brokers
import scenarios
import selftest
from brokers import Broker, BrokerFailed
from checks import Failed, Skipped
from scenarios import Context, Scenario
from tracker import TrackerFailed, newest_executable


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="a broker that is already there")
    parser.add_argument(
        "--broker",
        choices=sorted(brokers.OWN),
        help="the broker to start (default: kafka if KAFKA_HOME is set, else noida)",
    )
    parser.add_argument("--executable", type=Path, help="default: the newest of .build/release and .build/debug")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[], help="scenarios whose name contains NAME")
    parser.add_argument("--list", action="store_true", help="names the scenarios and what each guards, runs nothing")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats a run's random choices")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", default=[], help="a setting for every scenario")
    parser.add_argument("--keep", action="store_true", help="keeps the logs and state of all scenarios")
    parser.add_argument("--self-test", action="store_true", help="checks the runner itself, needs no executable")
    return parser.parse_args()


def chosen(names: list[str]) -> list[Scenario]:
    known = scenarios.load()
    selected = [scenario for scenario in known if not names or any(name in scenario.name for name in names)]
    if not selected:
        sys.exit(f"no scenario is named like {' or '.join(names)}: see --list")
    return selected


def run_one(scenario: Scenario, context: Context) -> str | None:
    """Runs a scenario; what went wrong, None if nothing did."""
    try:
        scenario.run(context)
    except Skipped:
        raise
    except (Failed, TrackerFailed, BrokerFailed) as failure:
        return str(failure)
    except Exception:
        return traceback.format_exc()
    finally:
        context.close()
    return None


def run_all(selected: list[Scenario], options: argparse.Namespace, broker: Broker, directory: Path) -> dict[str, int]:
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    executable = (options.executable or newest_executable()).resolve()
    settings = dict(item.split("=", 1) for item in options.set)
    print(f"{executable} on {broker.kind} at {broker.bootstrap}, seed {options.seed}\n", flush=True)
    for scenario in selected:
        random = Random(options.seed ^ zlib.crc32(scenario.name.encode()))
        context = Context(broker, executable, directory / scenario.name, random, settings)
        started = time.monotonic()
        try:
            reason = scenario.missing(broker)
            if reason:
                raise Skipped(reason)
            problem = run_one(scenario, context)
        except Skipped as skipped:
            counts["skipped"] += 1
            print(f"skip  {scenario.name}: {skipped}", flush=True)
            continue
        counts["failed" if problem else "passed"] += 1
        print(f"{'FAIL' if problem else 'pass'}  {scenario.name} ({time.monotonic() - started:.1f} s)", flush=True)
        if problem:
            report(scenario, problem, context.directory)
        elif not options.keep:
            brokers.remove(context.directory)
    return counts


def report(scenario: Scenario, problem: str, directory: Path) -> None:
    print(f"      what is lost: {scenario.loss}")
    print("\n".join(f"      {line}" for line in problem.splitlines()))
    print(f"      logs and state: {directory}", flush=True)


def main() -> int:
    options = arguments()
    selected = chosen(options.only)
    if options.list:
        print("\n".join(f"{scenario.name}: {scenario.loss}" for scenario in selected))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    directory = Path(tempfile.mkdtemp(prefix="payload-tracker-integration-"))
    broker = brokers.choose(options.bootstrap, options.broker, directory)
    try:
        broker.start()
        counts = (
            selftest.run(options.seed, broker) if options.self_test else run_all(selected, options, broker, directory)
        )
    except BrokerFailed as failure:
        print(f"the broker failed: {failure}")
        counts = {"passed": 0, "failed": 1, "skipped": 0}
    finally:
        broker.stop()
    if not counts["failed"] and not options.keep:
        brokers.remove(directory)
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{skipped}")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
