"""What the logs of a bounced group say: who owned which partition when, what was processed, what went wrong."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import mean, median

from bounce_life import Life

# A member that was stopped for longer than its session works on for a moment before it hears that it was given up.
STOP_ECHO_SECONDS = 15
SILENT_SECONDS = 10
SPINNING_REBALANCES = 3


@dataclass(frozen=True)
class Disturbance:
    """A bounce as it happened, until the member was started again."""

    kind: str
    began: float
    ended: float


@dataclass(frozen=True)
class Ownership:
    life: Life
    began: float
    ended: float


class Measures:
    def __init__(
        self,
        lives: list[Life],
        disturbances: list[Disturbance],
        log_ends: dict[int, int],
        committed: dict[int, int],
        times: tuple[float, float],
        settle_seconds: float,
    ):
        self.lives = lives
        self.disturbances = sorted(disturbances, key=lambda disturbance: disturbance.began)
        self.log_ends = log_ends
        self.committed = committed
        self.started, self.ended = times
        self.settle_seconds = settle_seconds
        self.events = {life: life.events() for life in lives}
        self.processed: dict[int, list[tuple[float, int, Life]]] = defaultdict(list)
        for life, event in self.each("record"):
            self.processed[event["partition"]].append((event["time"], event["offset"], life))
        for records in self.processed.values():
            records.sort(key=lambda record: record[0])
        self.owned: dict[int, list[Ownership]] = {partition: [] for partition in log_ends}
        for life in lives:
            self.find_ownership(life)

    def each(self, *kinds: str) -> Iterator[tuple[Life, dict]]:
        for life, events in self.events.items():
            for event in events:
                if event["kind"] in kinds:
                    yield life, event

    # Ownership

    def find_ownership(self, life: Life) -> None:
        began: dict[int, float] = {}

        def end(partition: int, when: float) -> None:
            if partition in began:
                self.owned[partition].append(Ownership(life, began.pop(partition), when))

        for event in self.events[life]:
            for partition in event.get("partitions", []):
                if event["kind"] == "assigned":
                    began.setdefault(partition, event["time"])
                else:
                    end(partition, event["time"])
        for partition in list(began):
            end(partition, min(self.end(life), self.ended))

    def end(self, life: Life) -> float:
        """Of one that crashed we know the end by its last event."""
        return life.ended or (self.events[life][-1]["time"] if self.events[life] else life.started)

    def overlaps(self) -> Counter[str]:
        """Times when two members owned a partition: both processing it, one or none, or in the echo of a stop."""
        found: Counter[str] = Counter()
        for partition, owned in self.owned.items():
            for one, other in itertools.combinations(owned, 2):
                began, ended = max(one.began, other.began), min(one.ended, other.ended)
                if one.life is other.life or began >= ended:
                    continue
                if any(owner.life.was_stopped_before(began, STOP_ECHO_SECONDS) for owner in (one, other)):
                    found["stop"] += 1
                    continue
                active = {life for when, _, life in self.processed[partition] if began <= when <= ended}
                found["both" if {one.life, other.life} <= active else "idle"] += 1
        return found

    def gaps(self, partition: int) -> Iterator[tuple[float, float]]:
        """Times without an owner, after the first one."""
        until = None
        for owner in sorted(self.owned[partition], key=lambda owner: owner.began):
            if until is not None and owner.began > until:
                yield until, owner.began
            until = max(until or 0.0, owner.ended)
        if until is not None and until < self.ended:
            yield until, self.ended

    def seconds_without_owner(self, kind: str) -> list[list[float]]:
        """For each bounce of the kind, the seconds of each partition. A gap belongs to the last bounce before it that began
        or whose member came back."""
        moments = sorted((time, index) for index, d in enumerate(self.disturbances) for time in (d.began, d.ended))
        seconds = [dict.fromkeys(self.owned, 0.0) for _ in self.disturbances]
        for partition in self.owned:
            for began, ended in self.gaps(partition):
                place = bisect_right(moments, (began, math.inf))
                if place:
                    seconds[moments[place - 1][1]][partition] += ended - began
        return [list(s.values()) for s, d in zip(seconds, self.disturbances) if d.kind == kind]

    # Quiet times

    def quiet_times(self) -> Iterator[tuple[float, float]]:
        """Times in which nothing has been done to the group for so long that it should have settled."""
        settled = self.started + self.settle_seconds
        for disturbance in self.disturbances:
            if settled < disturbance.began:
                yield settled, disturbance.began
            settled = max(settled, disturbance.ended + self.settle_seconds)
        if settled < self.ended:
            yield settled, self.ended

    def quiet_rebalances(self) -> list[int]:
        """How often each member rebalanced in each quiet time."""
        counts = []
        for began, ended in self.quiet_times():
            for events in self.events.values():
                seen = [e["rebalances"] for e in events if e["kind"] == "group" and began <= e["time"] <= ended]
                counts.append(seen[-1] - seen[0] if seen else 0)
        return counts

    def quiet_seconds_without_owner(self) -> float:
        return sum(
            max(0.0, min(ended, gap_end) - max(began, gap_began))
            for began, ended in self.quiet_times()
            for partition in self.owned
            for gap_began, gap_end in self.gaps(partition)
        )

    # Records

    def missing(self) -> tuple[int, int]:
        """Records that nobody ever processed: those that were committed all the same, and those that are still to come."""
        skipped = unread = 0
        for partition, end in self.log_ends.items():
            never = set(range(end)) - {offset for _, offset, _ in self.processed[partition]}
            skipped += sum(offset < self.committed.get(partition, 0) for offset in never)
            unread += sum(offset >= self.committed.get(partition, 0) for offset in never)
        return skipped, unread

    def repeated(self) -> int:
        return sum(len(records) - len({offset for _, offset, _ in records}) for records in self.processed.values())

    def backwards(self) -> tuple[int, int]:
        """Starts of a partition, and commits, below what had been committed when they were asked for. A member that was
        stopped may hear much later of a commit that it had made before."""
        asked = [(event["asked"], event["kind"], event["offsets"]) for _, event in self.each("start", "commit")]
        done = [(event["time"], "done", event["offsets"]) for _, event in self.each("commit")]
        found: Counter[str] = Counter()
        best: dict[str, int] = {}
        for _, kind, offsets in sorted(asked + done, key=lambda moment: moment[0]):
            for partition, offset in offsets.items():
                found[kind] += offset < best.get(partition, 0)
                if kind == "done":
                    best[partition] = max(offset, best.get(partition, 0))
        return found["start"], found["commit"]

    def delays(self) -> list[float]:
        """Seconds from a record's production to its first processing."""
        first: dict[tuple[int, int], float] = {}
        for _, event in self.each("record"):
            key = (event["partition"], event["offset"])
            first[key] = min(event["delay"], first.get(key, math.inf))
        return sorted(first.values())

    # Members

    def lost(self) -> tuple[int, int]:
        """Assignments that were lost: by members that were stopped, and by others."""
        stopped = [life.was_stopped_before(event["time"], STOP_ECHO_SECONDS) for life, event in self.each("lost")]
        return sum(stopped), len(stopped) - sum(stopped)

    def silences(self) -> int:
        """Times when a member that nobody stopped did nothing at all; its statistics alone make it write once a second."""
        count = 0
        for life, events in self.events.items():
            times = [life.started, *(event["time"] for event in events)]
            if not life.close_hung:
                times.append(min(self.end(life), self.ended))
            for before, after in itertools.pairwise(times):
                is_stopped = any(began < after and before < ended for began, ended in life.stops)
                count += after - before > SILENT_SECONDS and not is_stopped
        return count

    def rebalances(self) -> int:
        counts: dict[Life, int] = {}
        for life, event in self.each("group"):
            counts[life] = event["rebalances"]
        return sum(counts.values())

    def crashes(self) -> list[int]:
        return [life.crash for life in self.lives if life.crash is not None]

    def failures(self, is_commit: bool) -> Counter[str]:
        found: Counter[str] = Counter()
        for _, event in self.each("failed"):
            if (event["what"] == "commit") == is_commit:
                found[event["code"] if is_commit else f"{event['what']} {event['code']}"] += 1
        return found


# The table


def counted(counter: Counter) -> str:
    return ", ".join(f"{number} × {name}" for name, number in counter.most_common()) or "0"


def without_owner(kind: str) -> Callable[[Measures], str]:
    def text(measures: Measures) -> str:
        bounces = measures.seconds_without_owner(kind)
        if not bounces:
            return "–"
        worst = [max(seconds) for seconds in bounces]
        touched = mean(sum(second > 0 for second in seconds) for seconds in bounces)
        return f"{median(worst):.2f} / {max(worst):.2f}; {mean(map(mean, bounces)):.2f}; {touched:.1f}"

    return text


def delays(measures: Measures) -> str:
    found = measures.delays()
    return " / ".join(f"{found[int((len(found) - 1) * share)]:.2f}" for share in (0.5, 0.99, 1)) if found else "–"


ROWS: list[tuple[str, Callable[[Measures], object]]] = [
    ("bounces", lambda m: counted(Counter(disturbance.kind for disturbance in m.disturbances))),
    ("rebalances, summed over members", lambda m: m.rebalances()),
    ("records processed (again)", lambda m: f"{sum(map(len, m.processed.values()))} ({m.repeated()})"),
    ("**records skipped** / unread at the end", lambda m: " / ".join(map(str, m.missing()))),
    ("**two owners, both processing**", lambda m: m.overlaps()["both"]),
    ("two owners, not both processing", lambda m: m.overlaps()["idle"]),
    ("two owners, for a moment after SIGSTOP", lambda m: m.overlaps()["stop"]),
    ("**starts below a commit** / commits below a commit", lambda m: " / ".join(map(str, m.backwards()))),
    ("jumps forward within a partition", lambda m: len(list(m.each("jump")))),
    ("records below the position (dropped)", lambda m: len(list(m.each("old")))),
    ("**closes that hung > 10 s**", lambda m: sum(life.close_hung for life in m.lives)),
    ("**crashes** (exit codes)", lambda m: counted(Counter(m.crashes()))),
    ("**members silent > 10 s**", lambda m: m.silences()),
    (
        "rebalances in quiet time / **members that spin**",
        lambda m: f"{sum(m.quiet_rebalances())} / {sum(n > SPINNING_REBALANCES for n in m.quiet_rebalances())}",
    ),
    ("quiet time without an owner, partition-seconds", lambda m: f"{m.quiet_seconds_without_owner():.1f}"),
    ("assignments lost after SIGSTOP / **without**", lambda m: " / ".join(map(str, m.lost()))),
    ("commits refused", lambda m: counted(m.failures(is_commit=True))),
    ("other errors", lambda m: counted(m.failures(is_commit=False))),
    *[
        (f"no owner after {name}, s: worst partition median / max; mean of all; partitions", without_owner(kind))
        for kind, name in (("close", "a close"), ("kill", "a kill -9"), ("add", "one more"))
    ],
    ("delay of records, s: median / p99 / max", delays),
]


def table(measured: dict[str, Measures]) -> str:
    """Faults are bold."""
    lines = [["", *measured], ["---"] * (len(measured) + 1)]
    lines += [[label, *(str(value(measures)) for measures in measured.values())] for label, value in ROWS]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
