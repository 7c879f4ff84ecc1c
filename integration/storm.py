"""Random faults at random times, and how the instances get over them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from brokers import Broker
from fleet import Fleet, Instance, restores_in
from link import STALLED, Link
from load import Load

READY_SECONDS = 120
PROGRESS_SECONDS = 10


@dataclass
class Stage:
    """Whom faults can befall."""

    fleet: Fleet
    broker: Broker
    link: Link | None


class Fault:
    """Something bad that begins, may last, and ends."""

    needs: str | None = None
    """The capability of the broker that it takes."""
    lasts = (0.0, 0.0)
    """The least and greatest number of seconds."""

    def __init__(self, stage: Stage, target, random: Random):
        self.stage = stage
        self.target = target
        self.random = random
        self.seconds = random.uniform(*self.lasts)
        self.over_at = 0.0

    @staticmethod
    def targets(stage: Stage) -> list:
        """What it may befall: one of the instances."""
        return list(stage.fleet.active)

    @property
    def instances(self) -> list[Instance]:
        """Those that have something to get over."""
        return [self.target]

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{name_of(type(self))} of {self.target.name}{lasting}"

    def begin(self) -> None:
        raise NotImplementedError

    def go_on(self) -> None:
        """Called again and again while it lasts."""

    def is_over(self) -> bool:
        return time.monotonic() >= self.over_at

    def end(self) -> None:
        """Only a fault that lasts has something to end."""


class Kill(Fault):
    """`kill -9`, and started again at once."""

    def begin(self) -> None:
        self.target.kill()
        self.target.start()


class LostState(Fault):
    """`kill -9`, and started again on a new disk."""

    def begin(self) -> None:
        self.target.kill()
        self.target.lose_state()
        self.target.start()


class Pause(Fault):
    """SIGSTOP for longer than the session timeout (6 s), then SIGCONT: a zombie."""

    needs = "takeover"
    lasts = (7.0, 12.0)

    def begin(self) -> None:
        self.target.pause()

    def end(self) -> None:
        self.target.resume()


class DiskFull(Fault):
    """No space left for the state."""

    lasts = (3.0, 8.0)

    def begin(self) -> None:
        self.target.disk.fill()

    def go_on(self) -> None:
        self.target.disk.fill()

    def end(self) -> None:
        self.target.disk.free()


class OfAll(Fault):
    """A fault that befalls the broker, and so all instances."""

    @staticmethod
    def targets(stage: Stage) -> list:
        return [stage.broker]

    @property
    def instances(self) -> list[Instance]:
        return self.stage.fleet.active

    def __str__(self) -> str:
        return f"{name_of(type(self))} for {self.seconds:.1f} s"


class BrokerKilled(OfAll):
    """`kill -9` of the broker, which stays away for up to 3 s, and needs its time to start: the fault lasts longer then."""

    needs = "crash"
    lasts = (3.0, 15.0)

    def begin(self) -> None:
        self.target.kill()
        self.launch_at = time.monotonic() + self.random.uniform(0, 3)

    def go_on(self) -> None:
        if time.monotonic() >= self.launch_at and self.target.has_died():
            self.target.launch()

    def is_over(self) -> bool:
        return super().is_over() and self.target.problem() is None

    def end(self) -> None:
        if self.target.has_died():
            self.target.launch()
        self.target.wait_until_up(READY_SECONDS)


class SlowBroker(OfAll):
    """All that goes to and fro is held up for a while, or does not come through at all."""

    needs = "link"
    lasts = (2.0, 8.0)

    def begin(self) -> None:
        self.stage.link.delay = self.random.choice([0.1, 0.5, STALLED])

    def end(self) -> None:
        self.stage.link.delay = 0.0


FAULTS: dict[str, type[Fault]] = {
    "kill": Kill,
    "pause": Pause,
    "lost-state": LostState,
    "broker": BrokerKilled,
    "disk-full": DiskFull,
    "slow-broker": SlowBroker,
}


def name_of(kind: type[Fault]) -> str:
    return next(name for name, known in FAULTS.items() if known is kind)


@dataclass
class Recovery:
    """An instance's way back after a fault; `seconds` until it was ready, None if another fault came before."""

    fault: str
    instance: Instance
    log: Path
    log_size: int
    began: float
    seconds: float | None = None
    replayed: int = 0


class Storm:
    """Brings faults over the instances, one after the other and also while earlier ones last."""

    def __init__(
        self,
        stage: Stage,
        kinds: list[type[Fault]],
        every: tuple[float, float],
        random: Random,
        tell: Callable[[str], None],
    ):
        self.stage = stage
        self.kinds = kinds
        self.every = every
        self.random = random
        self.tell = tell
        self.lasting: list[Fault] = []
        self.awaited: dict[str, Recovery] = {}
        self.recoveries: list[Recovery] = []
        self.interrupted: set[str] = set()
        """Instances that were hit again before they had got over what was before."""
        self.exits: list[str] = []
        self.counts = dict.fromkeys(map(name_of, kinds), 0)

    def rage(self, load: Load, sizes: tuple[int, ...], seconds_after: float) -> None:
        """Until the load has ended, and so many seconds more; then all faults end, and all instances get ready. `sizes`: how many
        instances are at work in each part of the load."""
        load.start()
        strike_at = time.monotonic() + self.random.uniform(*self.every)
        until = progress_at = time.monotonic()
        while load.is_alive() or time.monotonic() < until:
            if load.is_alive():
                until = time.monotonic() + seconds_after
            self.watch()
            self.resize(sizes[min(int(load.share * len(sizes)), len(sizes) - 1)])
            if time.monotonic() >= progress_at:
                self.tell(f"{load.sent:,} messages sent")
                progress_at += PROGRESS_SECONDS
            if time.monotonic() >= strike_at:
                self.strike(Random(self.random.getrandbits(32)))
                strike_at = time.monotonic() + self.random.uniform(*self.every)
            time.sleep(0.05)
        self.calm()

    def resize(self, size: int) -> None:
        """Instances join; they leave once they have got over their faults."""
        fleet = self.stage.fleet
        while fleet.size > size:
            instance = fleet.active[-1]
            if instance in self.suffering or instance.name in self.awaited:
                return
            self.tell(f"{instance.name} leaves")
            fleet.leave(instance)
        while fleet.size < size:
            instance = fleet.join()
            self.tell(f"{instance.name} joins")
            self.wait_for(instance, "join")

    @property
    def suffering(self) -> list:
        return [fault.target for fault in self.lasting]

    def strike(self, random: Random) -> None:
        """A random fault, unless all that it could befall suffers from one already."""
        kind = random.choice(self.kinds)
        targets = kind.targets(self.stage)
        random.shuffle(targets)
        free = [target for target in targets if target not in self.suffering]
        if not free:
            return
        fault = kind(self.stage, free[0], random)
        self.tell(str(fault))
        self.counts[name_of(kind)] += 1
        for instance in fault.instances:
            if self.awaited.pop(instance.name, None):
                self.interrupted.add(instance.name)
        fault.begin()
        fault.over_at = time.monotonic() + fault.seconds
        self.lasting.append(fault)

    def watch(self) -> None:
        for fault in list(self.lasting):
            if fault.is_over():
                self.end(fault)
            else:
                fault.go_on()
        for instance in self.stage.fleet.active:
            if not instance.is_running():
                self.restart(instance)
        for recovery in list(self.awaited.values()):
            if recovery.instance.is_ready():
                self.recovered(recovery)

    def end(self, fault: Fault) -> None:
        self.lasting.remove(fault)
        fault.end()
        if fault.seconds:
            self.tell(f"{name_of(type(fault))} is over")
        for instance in fault.instances:
            if instance not in self.suffering:
                self.wait_for(instance, name_of(type(fault)))

    def restart(self, instance: Instance) -> None:
        """What ends by itself is started again, as an orchestrator would, and told as a problem."""
        tracker = instance.tracker
        self.exits.append(f"{instance.name} ended by itself, with {tracker.process.returncode}:\n{tracker.log_tail()}")
        self.tell(f"{instance.name} ended by itself, with {tracker.process.returncode}")
        instance.start()
        self.wait_for(instance, "exit")

    def wait_for(self, instance: Instance, fault: str) -> None:
        log = instance.tracker.log
        fault += " of one not yet ready" if instance.name in self.interrupted else ""
        recovery = Recovery(fault, instance, log, log.stat().st_size, time.monotonic())
        self.awaited[instance.name] = recovery
        self.recoveries.append(recovery)

    def recovered(self, recovery: Recovery) -> None:
        del self.awaited[recovery.instance.name]
        self.interrupted.discard(recovery.instance.name)
        recovery.seconds = time.monotonic() - recovery.began
        written = recovery.log.read_bytes()[recovery.log_size :].decode(errors="replace")
        recovery.replayed = sum(restore.records for restore in restores_in(written))
        replayed = f", {recovery.replayed} records replayed" if recovery.replayed else ""
        self.tell(f"{recovery.instance.name} is ready after {recovery.seconds:.1f} s{replayed}")

    def calm(self) -> None:
        for fault in list(self.lasting):
            self.end(fault)
        deadline = time.monotonic() + READY_SECONDS
        while self.awaited and time.monotonic() < deadline:
            self.watch()
            time.sleep(0.05)
        self.stage.fleet.wait_until_ready(1)
