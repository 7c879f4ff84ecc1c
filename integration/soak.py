"""Runs a worker for long at a steady rate, with a producer that is far too fast and a Kafka that is away in between: nothing may be
lost, memory and file handles stay flat, and nobody spins."""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random

import invariants
from brokers import Broker, KafkaBroker
from checks import Checks
from faults import SECONDS_OF_A_PAYLOAD
from fleet import Fleet, Instance
from invariants import Verdict
from judged import Clock, judge
from load import MESSAGES_OF_A_PAYLOAD, Load, traffic
from scenarios import Context
from tracker import newest_executable

TIMERS = {"completion_settle": "10s", "stall_after": "30s"}
PARTITIONS = 6
SAMPLE_SECONDS = 2
START_SECONDS = 90
CAUGHT_UP_SECONDS = 900
# In the first seconds without Kafka clients notice it, one after the other.
NOTICE_SECONDS = 10
# Of one core, while there is nothing to do but to look whether Kafka is back.
IDLE_SHARE = 0.2
LINES_A_MINUTE = 40
MEMORY_MARGIN = 1.1
HANDLES_MARGIN = 8
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Sample:
    """The process at a moment: seconds of CPU time since its start, bytes, counts, and what its probes answer."""

    time: float
    cpu: float
    memory: int
    handles: int
    threads: int
    lag: int | None
    health: int | None
    readiness: int | None

    @staticmethod
    def of(instance: Instance) -> Sample:
        tracker = instance.tracker
        proc = Path(f"/proc/{tracker.process.pid}")
        # After the name, which may hold anything: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
        stat = (proc / "stat").read_text().rpartition(")")[2].split()
        answer = tracker.request("/v1/partitions?local=true")
        parts = answer.json["data"] + answer.json["input"] if answer.status == 200 else []
        lags = [part["lag"] for part in parts]
        return Sample(
            time.monotonic(),
            (int(stat[11]) + int(stat[12])) / TICKS,
            int((proc / "statm").read_text().split()[1]) * PAGE,
            len(list((proc / "fd").iterdir())),
            int(stat[17]),
            sum(lags) if lags and None not in lags else None,
            tracker.status_of("/healthz"),
            tracker.status_of("/readyz"),
        )


@dataclass
class Phase:
    """A part of the run: for how many seconds, and how many messages a second."""

    name: str
    seconds: float
    rate: float
    sent: int = 0
    samples: list[Sample] = field(default_factory=list)
    log_lines: int = 0

    def cpu_share(self, after: float = 0) -> float:
        """Of one core, `after` its first seconds."""
        rest = [sample for sample in self.samples if sample.time >= self.samples[0].time + after]
        return (rest[-1].cpu - rest[0].cpu) / max(rest[-1].time - rest[0].time, 0.001)

    def __str__(self) -> str:
        memory = [sample.memory >> 20 for sample in self.samples]
        lags = [sample.lag for sample in self.samples if sample.lag is not None]
        return (
            f"{self.name:<8} {self.samples[-1].time - self.samples[0].time:6.0f} s  {self.sent:>9,} sent  "
            f"lag {max(lags, default=0):>7,}  CPU {self.cpu_share():.2f}  "
            f"memory {min(memory)}-{max(memory)} MiB  handles {max(s.handles for s in self.samples)}  "
            f"threads {max(s.threads for s in self.samples)}  {self.log_lines} log lines"
        )


class Soak:
    """The phases of a run, one after the other, over one worker."""

    def __init__(self, fleet: Fleet, values: Iterator[bytes | None], tell: Callable[[object], None]):
        self.fleet = fleet
        self.values = values
        self.tell = tell
        self.phases: list[Phase] = []

    def run(self, name: str, rate: float, seconds: float, *, until_caught_up: bool = False) -> Phase:
        """Sends at a rate for so long; or until the worker has caught up, and at most for so long."""
        phase = Phase(name, seconds, rate)
        self.phases.append(phase)
        instance = self.fleet.instances[0]
        lines = instance.tracker.log_text().count("\n")
        load = Load(self.fleet.app, islice(self.values, round(rate * seconds)), rate)
        load.start()
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            phase.samples.append(Sample.of(instance))
            last = phase.samples[-1]
            if until_caught_up and last.readiness == 200 and last.lag is not None and last.lag < max(rate, 1) * 5:
                break
            time.sleep(SAMPLE_SECONDS)
        load.stop()
        phase.samples.append(Sample.of(instance))
        phase.sent = load.sent
        phase.log_lines = instance.tracker.log_text().count("\n") - lines
        self.tell(phase)
        return phase


def flat(first: Phase, rest: list[Phase], last: Phase) -> Verdict:
    """What the process holds at the end it held at its worst before: it does not go on growing."""
    checks = Checks()
    before = [sample for phase in (first, *rest) for sample in phase.samples]
    tail = last.samples[len(last.samples) // 2 :]
    memory, most = statistics.median(s.memory for s in tail), max(s.memory for s in before)
    handles, most_handles = statistics.median(s.handles for s in tail), max(s.handles for s in before)
    checks.that(memory <= most * MEMORY_MARGIN, f"memory grew from {most >> 20} to {int(memory) >> 20} MiB")
    checks.that(handles <= most_handles + HANDLES_MARGIN, f"open files grew from {most_handles} to {handles}")
    numbers = f"{int(memory) >> 20} MiB and {handles:.0f} handles at the end, {most >> 20} MiB and {most_handles} at most before"
    return Verdict("memory and file handles are flat", numbers, checks.problems)


def patient(away: Phase) -> Verdict:
    """Without Kafka the worker waits: it does not spin, is not to be restarted, and says once what is wrong."""
    checks = Checks()
    share = away.cpu_share(NOTICE_SECONDS)
    checks.that(share < IDLE_SHARE, f"it takes {share:.2f} of a core while there is nothing to do")
    health = {sample.health for sample in away.samples}
    checks.that(health == {200}, f"/healthz says {sorted(map(str, health))}, and an orchestrator would restart it")
    noticed = [s for s in away.samples if s.time >= away.samples[0].time + NOTICE_SECONDS]
    readiness = {sample.readiness for sample in noticed}
    checks.that(readiness == {503}, f"/readyz says {sorted(map(str, readiness))}")
    minutes = max((away.samples[-1].time - away.samples[0].time) / 60, 1)
    checks.that(away.log_lines / minutes < LINES_A_MINUTE, f"{away.log_lines} log lines")
    return Verdict("it waits for Kafka", f"{share:.2f} of a core, {away.log_lines} log lines", checks.problems)


def caught_up(phases: list[Phase]) -> Verdict:
    checks = Checks()
    for phase in phases:
        last = phase.samples[-1]
        checks.that(last.readiness == 200, f"{phase.name}: /readyz says {last.readiness} at its end")
        checks.that(
            last.lag is not None and last.lag < phase.rate * 10, f"{phase.name}: a lag of {last.lag} at its end"
        )
    seconds = ", ".join(f"{phase.samples[-1].time - phase.samples[0].time:.0f} s {phase.name}" for phase in phases)
    return Verdict("it catches up", seconds, checks.problems)


def run(context: Context, options: argparse.Namespace, broker: Broker, tell: Callable[[object], None]) -> list[Verdict]:
    app = context.app(PARTITIONS).create_input()
    fleet = Fleet(app, 1, 1, TIMERS, is_static=True, small_disks=False)
    rate, half = options.rate, options.minutes * 30
    try:
        fleet.start()
        fleet.wait_until_ready(START_SECONDS)
        open_payloads = max(1, round(rate * SECONDS_OF_A_PAYLOAD / MESSAGES_OF_A_PAYLOAD))
        soak = Soak(fleet, traffic(app.random, open_payloads), tell)
        first = soak.run("steady", rate, half)
        burst = soak.run("burst", rate * options.burst, options.burst_seconds)
        after_burst = soak.run("after it", rate, CAUGHT_UP_SECONDS, until_caught_up=True)
        broker.kill()
        away = soak.run("no Kafka", rate, options.away)
        broker.start()
        back = soak.run("back", rate, CAUGHT_UP_SECONDS, until_caught_up=True)
        last = soak.run("steady", rate, half)
        records = app.sender.flush()
        sent = sum(phase.sent for phase in soak.phases)
        if len(records) != sent:
            raise RuntimeError(f"the runner produced {len(records)} of {sent} messages")
        verdicts = [
            flat(first, [burst, after_burst, away, back], last),
            patient(away),
            caught_up([after_burst, back, last]),
            *invariants.of_records(app, fleet, records, repeats=False),
        ]
        checks = Checks()
        seconds = fleet.stop()
        checks.equal("exit code after SIGTERM", fleet.instances[0].tracker.process.returncode, 0)
        verdicts.append(Verdict("SIGTERM ends it with 0", f"within {seconds:.1f} s", checks.problems))
        return [*verdicts, invariants.stores_as_changelog(fleet)]
    finally:
        context.close()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executable", type=Path, help="default: the newest of .build/release and .build/debug")
    parser.add_argument("--minutes", type=float, default=20, help="at the steady rate, half of it at the end")
    parser.add_argument("--rate", type=float, default=200, help="messages a second")
    parser.add_argument("--burst", type=float, default=10, help="how many times as fast the producer is for a while")
    parser.add_argument("--burst-seconds", type=float, default=60)
    parser.add_argument("--away", type=float, default=120, metavar="SECONDS", help="without Kafka")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats a run's random choices")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", default=[], help="a setting")
    parser.add_argument("--keep", action="store_true", help="keeps logs and state")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if not os.environ.get("KAFKA_HOME"):
        sys.exit("KAFKA_HOME is not set: a soak takes an Apache Kafka that it can kill and start again")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    directory = Path(tempfile.mkdtemp(prefix="payload-tracker-soak-"))
    broker = KafkaBroker(directory / "kafka")

    def run_and_tell() -> list[Verdict]:
        executable = (options.executable or newest_executable()).resolve()
        settings = dict(item.split("=", 1) for item in options.set)
        print(f"{executable} on {broker.kind} at {broker.bootstrap}, seed {options.seed}\n", flush=True)
        context = Context(broker, executable, directory / "run", Random(options.seed), settings)
        return run(context, options, broker, Clock().tell)

    return judge(broker, directory, options.keep, run_and_tell)


if __name__ == "__main__":
    sys.exit(main())
