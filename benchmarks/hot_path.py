"""How many instructions the pure part of the worker takes for a message, as valgrind's callgrind counts them: whatever else the machine does,
the same program gives the same counts. Fails when they are more than those in hot-path.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent
REPOSITORY = BENCHMARKS.parent
LIMITS = BENCHMARKS / "hot-path.json"
# Each is counted with those before it; what it adds is its own.
STEPS = ("decode", "fold", "encode", "load")
# Payloads of the shorter run, which the longer has twice: the difference has neither the start of the program nor its end.
ROUNDS = 100
TOLERANCE = 0.05
MACHINE = "x86_64"
# Dictionaries iterate, and collide, in another order in each process otherwise.
VARIABLES = {"SWIFT_DETERMINISTIC_HASHING": "1"}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executable", type=Path, help="default: built from here, in release mode")
    parser.add_argument("--update", action="store_true", help=f"makes what is counted the limits in {LIMITS.name}")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keeps callgrind's files here, for callgrind_annotate")
    return parser.parse_args()


def build() -> Path:
    run(["swift", "build", "-c", "release", "-j", "2", "--product", "HotPath"])
    return REPOSITORY / ".build" / "release" / "HotPath"


def run(command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    words = list(map(str, command))
    done = subprocess.run(
        words, cwd=REPOSITORY, env=os.environ | VARIABLES, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return done


class Counter:
    """Runs the program under callgrind, which leaves its files in `directory`."""

    def __init__(self, executable: Path, directory: Path):
        self.directory = directory
        self.executable = directory / executable.name
        # Debian's valgrind gives up at the debug information of Swift's compiler. Names of functions stay.
        run(["strip", "--strip-debug", "-o", self.executable, executable])

    def instructions(self, step: str, rounds: int) -> tuple[int, int]:
        """How many the whole process takes, and how many messages it handles."""
        out = self.directory / f"callgrind.{step}.{rounds}"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", self.executable, step, rounds]
        done = run(command)
        counted = re.search(r"Collected : (\d+)", done.stderr)
        if not counted:
            sys.exit(f"valgrind told no count:\n{done.stderr}")
        return int(counted[1]), int(done.stdout.split()[0])

    def per_message(self, step: str) -> float:
        less, messages = self.instructions(step, ROUNDS)
        more, twice = self.instructions(step, 2 * ROUNDS)
        return (more - less) / (twice - messages)


def count(counter: Counter) -> dict[str, int]:
    """Instructions a message, of each step by itself."""
    counts, before = {}, 0.0
    for step in STEPS:
        all_so_far = counter.per_message(step)
        counts[step] = round(all_so_far - before)
        before = all_so_far
    return counts


def compare(counts: dict[str, int], limits: dict[str, int]) -> list[str]:
    """Prints the counts, and returns the steps that have grown."""
    print(f"{'instructions a message':<24}{'now':>8}{'limit':>8}")
    grown = []
    for step, now in counts.items():
        limit = limits.get(step, 0)
        print(f"{step:<24}{now:>8,}{limit:>8,}{now / limit - 1:>+8.1%}" if limit else f"{step:<24}{now:>8,}")
        if now > limit * (1 + TOLERANCE):
            grown.append(f"{step} takes {now:,} instructions a message, and {LIMITS.name} allows {limit:,}")
        elif now < limit * (1 - TOLERANCE):
            print(f"{step} has become cheaper: benchmarks/hot-path --update keeps it so")
    return grown


def main() -> None:
    options = arguments()
    if platform.machine() != MACHINE and not options.update:
        print(f"the limits in {LIMITS.name} are those of {MACHINE}: nothing is counted on {platform.machine()}")
        return
    if not shutil.which("valgrind"):
        sys.exit("valgrind is not installed (make dependencies installs it)")
    executable = (options.executable or build()).resolve()
    with tempfile.TemporaryDirectory(prefix="payload-tracker-hot-path-") as temporary:
        directory = options.keep or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        counts = count(Counter(executable, directory))
    grown = compare(counts, json.loads(LIMITS.read_text()) if LIMITS.exists() else {})
    if options.update:
        LIMITS.write_text(json.dumps(counts, indent=4) + "\n")
    elif grown:
        sys.exit(f"{'; '.join(grown)} (± {TOLERANCE:.0%}). If that is meant: benchmarks/hot-path --update")


if __name__ == "__main__":
    main()
