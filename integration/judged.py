"""What the long runs have in common: a broker, a run that ends in verdicts, and what is told of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import brokers
from brokers import Broker, BrokerFailed
from checks import SHOWN
from invariants import Verdict
from tracker import TrackerFailed


class Clock:
    """Tells what happens, with the seconds since the start."""

    def __init__(self):
        self.began = time.monotonic()

    def tell(self, what: object) -> None:
        print(f"{time.monotonic() - self.began:7.1f} s  {what}", flush=True)


def judge(broker: Broker, directory: Path, keep: bool, run: Callable[[], list[Verdict]]) -> int:
    """Has `run` do its work on the broker and prints its verdicts; the exit code. A run that does not get to its end has failed. What it
    leaves behind is kept then, or if it is to be."""
    failed, verdicts = 1, []
    try:
        broker.start()
        verdicts = run()
        print()
        failed = report(verdicts)
    except TrackerFailed as failure:
        print(f"FAIL  the run did not get to its end: {failure}")
    except BrokerFailed as failure:
        print(f"the broker failed: {failure}")
    finally:
        broker.stop()
    if failed or keep:
        print(f"logs and state: {directory}")
    else:
        brokers.remove(directory)
    print(f"{len(verdicts) - failed if verdicts else 0} passed, {failed} failed")
    return 1 if failed else 0


def report(verdicts: list[Verdict]) -> int:
    """Prints the verdicts; how many are bad."""
    for verdict in verdicts:
        print(f"{'FAIL' if verdict.problems else 'pass'}  {verdict.invariant}: {verdict.numbers}")
        for problem in verdict.problems[:SHOWN]:
            print("\n".join(f"      {line}" for line in problem.splitlines()))
        if len(verdict.problems) > SHOWN:
            print(f"      and {len(verdict.problems) - SHOWN} more")
    return sum(bool(verdict.problems) for verdict in verdicts)
