"""What has to be true after whatever happened: of the records, of the stores, of the instances."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from dataclasses import dataclass

from app import App
from checks import Checks, Documents, documents_converge, events_of_all, models_of
from fleet import Fleet
from message import Rules
from model import Payload
from records import Record
from scenarios.bad_input import dead_letter_problems, place, read_dead_letters
from storm import Recovery, Storm

DOCUMENT_SECONDS = 120
VERIFY_SECONDS = 300


@dataclass(frozen=True)
class Verdict:
    """An invariant, what was counted of it, and what is wrong with it."""

    invariant: str
    numbers: str
    problems: list[str]


def of_records(app: App, asked: Documents, records: list[Record], *, repeats: bool) -> list[Verdict]:
    """What has become of the records of the input topic, all of which are given. `repeats`: events may come again."""
    payloads, refused = models_of(records, Rules())
    return [
        documents_as_modelled(app, asked, payloads),
        each_event_once(app, asked, payloads, repeats),
        nothing_lost(app, records, refused),
    ]


def documents_as_modelled(app: App, asked: Documents, payloads: dict[str, Payload]) -> Verdict:
    problems = documents_converge(app, asked, list(payloads.values()), seconds=DOCUMENT_SECONDS)
    entries = sum(len(payload.entries) for payload in payloads.values())
    return Verdict("document = model", f"{len(payloads):,} payloads with {entries:,} entries", problems)


def each_event_once(app: App, asked: Documents, payloads: dict[str, Payload], repeats: bool) -> Verdict:
    problems = events_of_all(app, asked, payloads, repeats)
    revisions = Counter(record.json["revision"] for record in app.read(app.outcomes).read_to_end())
    numbers = f"{revisions.total():,} events, revisions up to {max(revisions, default=0)}"
    return Verdict("each revision exactly once, from 1, the last as the document", numbers, problems)


def nothing_lost(app: App, records: list[Record], refused: dict[tuple[int, int], str]) -> Verdict:
    """Dead letters may come twice after a crash, and then they are the same."""
    by_place = {(record.partition, record.offset): record for record in records}
    letters: dict[tuple[int, int], Record] = {}
    checks, repeated = Checks(), 0
    for letter in read_dead_letters(app, len(refused)):
        first = letters.setdefault(place(letter), letter)
        if letter is not first:
            repeated += 1
            same = (letter.key, letter.value, letter.headers) == (first.key, first.value, first.headers)
            checks.that(same, f"dead letter of {place(letter)} came again, and is another one")
    for where in refused.keys() | letters.keys():
        if checks.that(where in letters, f"no dead letter of {where}, expected {refused.get(where)}") and checks.that(
            where in refused, f"dead letter of {where}, which is to be accepted"
        ):
            checks.extend(dead_letter_problems(app, letters[where], by_place[where], refused[where]))
    tombstones = sum(record.value is None for record in records)
    accepted = len(records) - len(refused) - tombstones
    numbers = f"{len(records):,} = {accepted:,} + {len(refused):,} + {tombstones:,}"
    numbers += f"; {repeated} dead letters came again"
    return Verdict("produced = accepted + dead-lettered + tombstones", numbers, checks.problems)


def of_instances(storm: Storm) -> list[Verdict]:
    """What has become of the instances; stops them."""
    fleet = storm.stage.fleet
    return [stores_kept(storm), orderly_stop(storm), stores_as_changelog(fleet)]


def stores_kept(storm: Storm) -> Verdict:
    fleet = storm.stage.fleet
    problems = [problem for instance in fleet.instances for problem in instance.stores_that_went_back()]
    faults = ", ".join(f"{count} × {name}" for name, count in storm.counts.items())
    return Verdict("no store was wiped where its state was kept", faults, problems)


def orderly_stop(storm: Storm) -> Verdict:
    fleet = storm.stage.fleet
    seconds = fleet.stop()
    checks = Checks()
    checks.extend(storm.exits)
    for instance in fleet.instances:
        checks.equal(f"{instance.name}: exit code after SIGTERM", instance.tracker.process.returncode, 0)
    return Verdict("no instance ends by itself, SIGTERM ends all with 0", f"within {seconds:.1f} s", checks.problems)


def stores_as_changelog(fleet: Fleet, *, upgraded: bool = False) -> Verdict:
    """`upgraded`: stores that nothing has opened since may have the format of before; they are rebuilt when something does."""
    checks, stores, left = Checks(), 0, 0
    for instance in fleet.active:
        settings = fleet.app.settings | {"state.dir": instance.state}
        verified = fleet.app.command("state", "verify", "--json", settings=settings, seconds=VERIFY_SECONDS)
        problems = [json.loads(line)["problems"] for line in verified.stdout.splitlines()]
        old = sum(upgraded and any("has another format" in problem for problem in store) for store in problems)
        wrong = sum(map(bool, problems)) - old
        said = f"{instance.name}: state verify says\n{verified.stdout}{verified.stderr}"
        checks.that(not wrong and verified.returncode == (3 if old else 0), said)
        stores, left = stores + problems.count([]), left + old
    checks.that(stores >= fleet.app.partitions, f"only {stores} stores were verified")
    numbers = f"{stores} stores" + (f"; {left} that nothing has opened have the format of before" if left else "")
    return Verdict("changelog folded from scratch = stores", numbers, checks.problems)


def recovery_lines(recoveries: list[Recovery]) -> list[str]:
    """Of each kind of fault, how long instances took until they were ready, and how many records they replayed."""
    lines = []
    for fault in dict.fromkeys(recovery.fault for recovery in recoveries):
        of_fault = [recovery for recovery in recoveries if recovery.fault == fault]
        ready = [recovery for recovery in of_fault if recovery.seconds is not None]
        interrupted = f"; {len(of_fault) - len(ready)} were hit again before" if len(of_fault) > len(ready) else ""
        if not ready:
            lines.append(f"{fault}: never ready{interrupted}")
            continue
        seconds, replayed = [r.seconds for r in ready], [r.replayed for r in ready]
        lines.append(
            f"{fault}: ready after {statistics.median(seconds):.1f} s (median), {max(seconds):.1f} s (longest); "
            f"{statistics.median(replayed):,.0f} (median), {max(replayed):,} (most) records replayed{interrupted}"
        )
    return lines
