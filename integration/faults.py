"""Runs seeded random faults against a built `payload-tracker` under load, then checks what has to be true in spite of them."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

import brokers
import invariants
from brokers import CAPABILITIES, Broker
from disk import CannotMount, SmallDisk
from fleet import Fleet
from invariants import Verdict
from judged import Clock, judge
from link import Link
from load import MESSAGES_OF_A_PAYLOAD, Load, traffic
from scenarios import Context
from storm import FAULTS, DiskFull, Fault, SlowBroker, Stage, Storm
from tracker import newest_executable

# Short, so that a run meets many timers, and longer than a kill holds a worker up, so that they do not all fire late.
TIMERS = {"completion_settle": "4s", "stall_after": "8s"}
SECONDS_OF_A_PAYLOAD = 8
START_SECONDS = 90


@dataclass(frozen=True)
class Plan:
    """What a run is made of; `every` are the least and greatest number of seconds from one fault to the next."""

    messages: int
    rate: float
    instances: tuple[int, ...]
    """How many are at work, one part of the load after the other."""
    is_static: bool
    kinds: list[type[Fault]]
    every: tuple[float, float]
    partitions: int
    seconds_after: float = 14
    """For how long faults go on when all is sent: until the last payload has settled or stalled."""


def run(context: Context, plan: Plan, tell: Callable[[str], None]) -> tuple[Storm, list[Verdict]]:
    """Sends the messages, brings the faults over the instances, and judges."""
    app = context.app(plan.partitions).create_input()
    settings, link = dict(TIMERS), None
    if SlowBroker in plan.kinds:
        link = Link(context.broker.link_port, context.broker.linked_port)
        link.start()
        settings["kafka_bootstrap_servers"] = f"127.0.0.1:{link.port}"
    sizes = plan.instances
    has_small_disks = DiskFull in plan.kinds
    fleet = Fleet(app, max(sizes), sizes[0], settings, is_static=plan.is_static, small_disks=has_small_disks)
    try:
        fleet.start()
        fleet.wait_until_ready(START_SECONDS)
        open_payloads = max(1, round(plan.rate * SECONDS_OF_A_PAYLOAD / MESSAGES_OF_A_PAYLOAD))
        load = Load(app, islice(traffic(app.random, open_payloads), plan.messages), plan.rate, plan.messages)
        # The load draws from the application's random numbers in its own thread, so the faults need some of their own.
        storm_random = Random(context.random.getrandbits(64))
        storm = Storm(Stage(fleet, context.broker, link), plan.kinds, plan.every, storm_random, tell)
        storm.rage(load, sizes, plan.seconds_after)
        tell(f"all is calm: {load.sent:,} messages sent")
        records = app.sender.flush()
        if len(records) != plan.messages:
            raise RuntimeError(f"the runner produced {len(records)} of {plan.messages} messages")
        verdicts = invariants.of_records(app, fleet, records, repeats=False)
        return storm, verdicts + invariants.of_instances(storm)
    finally:
        context.close()
        fleet.close()
        if link:
            link.stop()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="a broker that is already there")
    parser.add_argument(
        "--broker",
        choices=("kafka", "noida"),
        help="the broker to start (default: kafka if KAFKA_HOME is set, else noida)",
    )
    parser.add_argument("--executable", type=Path, help="default: the newest of .build/release and .build/debug")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=500, help="messages a second")
    parser.add_argument(
        "--instances", default="1", metavar="N[,N…]", help="how many; 1,3,2: so many in each third of the messages"
    )
    parser.add_argument(
        "--members", choices=("static", "dynamic"), default="static", help="with a group.instance.id or not"
    )
    parser.add_argument("--faults", default="kill,lost-state", metavar="NAMES", help=f"out of {','.join(FAULTS)}")
    parser.add_argument("--every", default="2-4", metavar="SECONDS", help="from one fault to the next, such as 2-4")
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats a run's random choices")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", default=[], help="a setting for all instances")
    parser.add_argument("--keep", action="store_true", help="keeps logs and state")
    options = parser.parse_args()
    try:
        options.every = tuple(float(seconds) for seconds in options.every.split("-", 1))
        options.every = (options.every[0], options.every[-1])
        options.instances = tuple(int(count) for count in options.instances.split(","))
        if min(options.instances) < 1:
            raise ValueError("a number of instances below 1")
        options.faults = [FAULTS[name] for name in options.faults.split(",")]
    except (ValueError, KeyError) as error:
        parser.error(f"cannot read {error}")
    return options


def refusal(kinds: list[type[Fault]], broker: Broker, directory: Path) -> str | None:
    """Why a fault cannot be brought about here, None if all can."""
    for name, kind in FAULTS.items():
        if kind in kinds and kind.needs and kind.needs not in broker.capabilities:
            return f"{name} is not possible: broker {broker.kind} lacks {CAPABILITIES[kind.needs]}"
    if DiskFull in kinds:
        try:
            SmallDisk(directory / "probe").unmount()
        except CannotMount as error:
            return f"disk-full is not possible: {error}"
    return None


def run_and_tell(options: argparse.Namespace, broker: Broker, directory: Path) -> list[Verdict]:
    executable = (options.executable or newest_executable()).resolve()
    settings = dict(item.split("=", 1) for item in options.set)
    context = Context(broker, executable, directory / "run", Random(options.seed), settings)
    plan = Plan(
        options.messages,
        options.rate,
        options.instances,
        options.members == "static",
        options.faults,
        options.every,
        options.partitions,
    )
    print(f"{executable} on {broker.kind} at {broker.bootstrap}, seed {options.seed}")
    instances = ", then ".join(map(str, plan.instances))
    print(f"{plan.messages:,} messages at {plan.rate:g}/s; {instances} instances, {options.members} members\n")
    storm, verdicts = run(context, plan, Clock().tell)
    print("\n" + "\n".join(invariants.recovery_lines(storm.recoveries)))
    return verdicts


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    directory = Path(tempfile.mkdtemp(prefix="payload-tracker-faults-"))
    broker = brokers.choose(options.bootstrap, options.broker, directory)
    reason = refusal(options.faults, broker, directory)
    if reason:
        brokers.remove(directory)
        sys.exit(reason)
    return judge(broker, directory, options.keep, lambda: run_and_tell(options, broker, directory))


if __name__ == "__main__":
    sys.exit(main())
