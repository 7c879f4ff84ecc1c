"""How many questions a worker answers, and how fast: lookups of random payloads and filtered lists, while it folds a backlog and when it
is idle, from a store that is larger than its caches. The operating system's page cache still has the store's files."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

import brokers
from records import Topics
from tracker import is_ready, newest_executable

import throughput
from throughput import LONGEST_SECONDS, START_SECONDS, Process, mebibytes
from workers import BENCHMARKS, Job, Payloads, Progress, Running, need, parser_of, run, running_kafka

HEADINGS = [
    "asked",
    "while",
    "answers/s",
    "p50 ms",
    "p99 ms",
    "max ms",
    "not 200",
    "worker's cores",
    "CPU µs/answer",
    "folded/s",
]
LOAD = BENCHMARKS / "load"
# Payloads that have just changed are not in the index yet, and lists look at each of them.
SETTLE_SECONDS = 12
FILTERS = (
    "service=puptoo&limit=20",
    "status=success&limit=20",
    "org_id=1979710&status=success&limit=20",
    "account=540155&service=patchman&outcome=failed&limit=20",
)


@dataclass(frozen=True)
class Result:
    """One kind of question for a while; `folded` is records a second."""

    asked: str
    state: str
    answers: dict
    cores: float
    folded: float

    def row(self) -> list[str]:
        rate = self.answers["answers"] / self.answers["seconds"]
        return [
            self.asked,
            self.state,
            f"{rate:,.0f}",
            *(f"{self.answers[name] / 1000:.1f}" for name in ("p50_us", "p99_us", "max_us")),
            str(self.answers["refused"]),
            f"{self.cores:.2f}",
            f"{self.cores * 1e6 / rate:.0f}" if self.state == "idle" else "-",
            f"{self.folded:,.0f}",
        ]


def arguments() -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("--payloads", type=int, default=100_000, help="in the store, of 17 messages each")
    parser.add_argument("--backlog", type=int, default=1_000_000, help="messages that are folded meanwhile")
    parser.add_argument("--cache", default="4MiB", help="the worker's store.cache and store.block-cache, each")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10, help="for each kind of question")
    parser.add_argument(
        "--beside", type=Path, metavar="EXECUTABLE", help="only lookups while idle, of this build and the other in turn"
    )
    parser.add_argument("--rounds", type=int, default=3, help="with --beside: how often each is asked")
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--open", type=int, default=5_000, help="payloads that are open at once in the input")
    parser.add_argument("--commit-interval", type=int, default=500, metavar="MS")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", default=[], help="a setting more for the worker")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keeps logs and state")
    return parser.parse_args()


class Questions:
    """Asks one worker, and tells what it spent meanwhile."""

    def __init__(self, running: Running, port: int, progress: Progress, options: argparse.Namespace, directory: Path):
        self.process, self.port, self.progress = Process(running.process.pid), port, progress
        self.options, self.directory = options, directory

    def ask(self, asked: str, paths: list[str], state: str) -> Result:
        file = self.directory / "paths"
        file.write_text("".join(f"{path}\n" for path in paths))
        cpu, folded, started = self.process.cpu_seconds(), self.progress.records(), time.monotonic()
        command = [LOAD / ".build" / "load", self.port, self.options.connections, self.options.seconds, file]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr.strip())
        cores = (self.process.cpu_seconds() - cpu) / (time.monotonic() - started)
        folded = (self.progress.records() - folded) / (time.monotonic() - started)
        if state == "folding" and self.progress.is_done():
            state = "folding, not to the end"
        return Result(asked, state, json.loads(done.stdout), cores, folded)


def paths_of_lookups(options: argparse.Namespace) -> list[str]:
    return [f"/v1/payloads/{name.decode()}" for name in throughput.payload_ids(options.seed, options.payloads)]


def fold(worker: Payloads, job: Job, messages: int) -> None:
    """Lets a worker fold all that is in the input, and stops it: what it had in its write buffers is then in its files."""
    running, progress = worker.start(job), Progress(job, messages)
    try:
        progress.wait_for(running, progress.is_done, "done", LONGEST_SECONDS)
    finally:
        running.stop()


def asked(worker: Payloads, job: Job, port: int, options: argparse.Namespace, messages: int) -> list[Result]:
    lookups = paths_of_lookups(options)
    running, progress = worker.start(job), Progress(job, messages)
    questions = Questions(running, port, progress, options, job.directory)
    results = []
    try:
        progress.wait_for(running, lambda: is_ready(port), "ready", START_SECONDS)
        for state in ("folding", "idle"):
            if state == "idle":
                progress.wait_for(running, progress.is_done, "done", LONGEST_SECONDS)
                time.sleep(SETTLE_SECONDS)
            for name, paths in (("lookup", lookups), *((f"?{each}", [f"/v1/payloads?{each}"]) for each in FILTERS)):
                results.append(questions.ask(name, paths, state))
                print("  ".join(results[-1].row()), flush=True)
        print(f"peak memory {mebibytes(questions.process.memory('VmHWM'))} MiB")
    finally:
        running.stop()
    return results


def lookups_while_idle(worker: Payloads, job: Job, port: int, options: argparse.Namespace, messages: int) -> Result:
    running, progress = worker.start(job), Progress(job, messages)
    try:
        progress.wait_for(running, lambda: is_ready(port) and progress.is_done(), "ready", START_SECONDS)
        questions = Questions(running, port, progress, options, job.directory)
        return questions.ask("lookup", paths_of_lookups(options), "idle")
    finally:
        running.stop()


def compare(workers: list[Payloads], job: Job, port: int, options: argparse.Namespace, messages: int) -> None:
    """Several builds on one store, in turn. Only the ratios of their rows mean something."""
    rows = []
    for worker in workers * options.rounds:
        result = lookups_while_idle(worker, job, port, options, messages)
        rows.append([str(worker.executable), *result.row()])
        print("  ".join(rows[-1]), flush=True)
    print()
    throughput.print_table(["executable", *HEADINGS], sorted(rows))


def main() -> None:
    options = arguments()
    worker = Payloads((options.executable or newest_executable()).resolve())
    worker.build()
    other = Payloads(options.beside.resolve()) if options.beside else None
    if other:
        other.build()
    for program in ("make", "g++"):
        need(program, "the load generator is built with it")
    run(["make", "-s", "-C", str(LOAD)])
    name, port = f"lookups-{os.getpid()}", brokers.free_port()
    settings = {"http.port": port, "store.cache": options.cache, "store.block-cache": options.cache}
    settings |= dict(item.split("=", 1) for item in options.set)
    with running_kafka(options.bootstrap, "lookups", options.keep) as (broker, directory):
        job = Job(
            bootstrap=broker.bootstrap,
            application=name,
            input=f"{name}-input",
            partitions=options.partitions,
            directory=directory,
            guarantee="exactly_once",
            commit_ms=options.commit_interval,
            settings=tuple(settings.items()),
        )
        stored = options.payloads * len(throughput.lifecycle())
        Topics(broker.bootstrap).create(job.input, options.partitions, retention_ms="-1")
        fill(broker.bootstrap, job.input, options, stored, options.seed)
        throughput.warm_up(broker.bootstrap, job.input, options.partitions, stored)
        fold(worker, job, stored)
        print(
            f"{options.payloads:,} payloads, {mebibytes(throughput.size_of(job.state)):,} MiB of state, caches of {options.cache}, "
            f"{options.connections} connections",
            flush=True,
        )
        if other:
            compare([worker, other], job, port, options, stored)
            return
        fill(broker.bootstrap, job.input, options, options.backlog, options.seed + 1)
        results = asked(worker, job, port, options, stored + options.backlog)
        print()
        throughput.print_table(HEADINGS, [result.row() for result in results])


def fill(bootstrap: str, topic: str, options: argparse.Namespace, messages: int, seed: int) -> None:
    throughput.fill(bootstrap, topic, argparse.Namespace(**{**vars(options), "messages": messages, "seed": seed}))


if __name__ == "__main__":
    main()
