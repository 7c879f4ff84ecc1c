"""The tracker beside its peers: each folds the same filled input topic, one after the other, round after round.

What counts is the ratios within one run: the machine, the broker and their other work are the same for all. A worker is measured from
the moment when its group has its partitions to the moment when all of both topics is committed."""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

from records import Topics
from tracker import newest_executable

import throughput
from throughput import GUARANTEES, LONGEST_SECONDS, MESSAGE_BYTES, START_SECONDS, Process, mebibytes
from workers import PEERS, Job, Payloads, Progress, parser_of, running_kafka

HEADINGS = ["worker", "guarantee", "round", "s", "records/s", "CPU µs/record", "in 2nd half", "peak MiB", "state MiB"]
LATEST_HALF = 0.75
COMPARISON = ["tracker ÷", "guarantee", "records/s", "CPU a record", "peak memory"]


@dataclass(frozen=True)
class Result:
    """One worker over the whole input; sizes in bytes."""

    worker: str
    guarantee: str
    round: int
    seconds: float
    records: int
    cpu_seconds: float
    late_cpu: float
    """Microseconds a record in the second half, as commits tell it: shows whether a JVM is warm yet. Not to be compared between workers, which
    differ in how far the first hop runs ahead. NaN when the commits were too few to tell."""
    peak_rss: int
    state_bytes: int

    def rate(self) -> float:
        return self.records / self.seconds

    def cpu_per_record(self) -> float:
        """Microseconds."""
        return self.cpu_seconds * 1e6 / self.records

    def row(self) -> list[str]:
        return [
            self.worker,
            self.guarantee,
            str(self.round + 1),
            f"{self.seconds:.1f}",
            f"{self.rate():,.0f}",
            f"{self.cpu_per_record():.2f}",
            "-" if math.isnan(self.late_cpu) else f"{self.late_cpu:.2f}",
            str(mebibytes(self.peak_rss)),
            str(mebibytes(self.state_bytes)),
        ]


def arguments() -> argparse.Namespace:
    parser = parser_of(__doc__, beside="floor,streams,streams-plain,quix")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--open", type=int, default=5_000, help="payloads that are open at once in the input")
    parser.add_argument("--commit-interval", type=int, default=1000, metavar="MS", help="of all but streams-plain")
    parser.add_argument("--linger", type=int, default=50, metavar="MS", help="of the floor's producers")
    parser.add_argument("--guarantee", nargs="+", default=["exactly_once"], choices=GUARANTEES, help="runs for each")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each kind")
    parser.add_argument(
        "--set", action="append", metavar="KEY=VALUE", default=[], help="a setting more for the tracker"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keeps logs and state")
    return parser.parse_args()


def chosen_workers(executable: Path | None, beside: str) -> list:
    """The tracker and the peers that were asked for, built."""
    names = [name for name in beside.split(",") if name]
    if unknown := [name for name in names if name not in PEERS]:
        sys.exit(f"no peer {unknown[0]}: there are {', '.join(PEERS)}")
    workers = [Payloads((executable or newest_executable()).resolve()), *(PEERS[name] for name in names)]
    for worker in workers:
        worker.build()
    return workers


def measure(worker, job: Job, messages: int, number: int) -> Result:
    progress = Progress(job, messages)
    running = worker.start(job)
    process = Process(running.process.pid)
    try:
        progress.wait_for(running, progress.has_partitions, "given its partitions", START_SECONDS)
        started, cpu_before, half = time.monotonic(), process.cpu_seconds(), []

        def look() -> None:
            if not half and (records := progress.records()) >= messages / 2:
                half.extend((records, process.cpu_seconds()))

        progress.wait_for(running, progress.is_done, "done", LONGEST_SECONDS, look)
        seconds, cpu_after = time.monotonic() - started, process.cpu_seconds()
        return Result(
            worker.name,
            job.guarantee,
            number,
            seconds,
            messages,
            cpu_after - cpu_before,
            late_cpu(half, cpu_after, messages),
            process.memory("VmHWM"),
            throughput.size_of(job.state),
        )
    finally:
        running.stop()


def late_cpu(half: list[float], cpu_after: float, messages: int) -> float:
    if not half or half[0] > messages * LATEST_HALF:
        return math.nan
    records, cpu = half
    return (cpu_after - cpu) * 1e6 / (messages - records)


def comparison(results: list[Result]) -> list[list[str]]:
    """The tracker's medians as multiples of each peer's."""
    figures = (Result.rate, Result.cpu_per_record, lambda result: result.peak_rss)

    def medians(worker: str, guarantee: str) -> list[float]:
        chosen = [result for result in results if (result.worker, result.guarantee) == (worker, guarantee)]
        return [statistics.median(map(figure, chosen)) for figure in figures]

    kinds = dict.fromkeys((result.worker, result.guarantee) for result in results if result.worker != Payloads.name)
    rows = []
    for worker, guarantee in kinds:
        pairs = zip(medians(Payloads.name, guarantee), medians(worker, guarantee))
        rows.append([worker, guarantee, *(f"{own / other:.2f} ×" for own, other in pairs)])
    return rows


def main() -> None:
    options = arguments()
    workers = chosen_workers(options.executable, options.beside)
    topic = f"peers-{os.getpid()}-input"
    results = []
    with running_kafka(options.bootstrap, "peers", options.keep) as (broker, directory):
        Topics(broker.bootstrap).create(topic, options.partitions, retention_ms="-1")
        throughput.fill(broker.bootstrap, topic, options)
        throughput.warm_up(broker.bootstrap, topic, options.partitions, options.messages)
        print(
            f"{options.partitions} partitions: {options.messages:,} messages of about {MESSAGE_BYTES} bytes, "
            f"{options.open:,} payloads open at once, commits every {options.commit_interval} ms",
            flush=True,
        )
        for number in range(options.rounds):
            for guarantee in options.guarantee:
                for worker in workers:
                    run = f"peers-{os.getpid()}-{number}-{guarantee.replace('_', '-')}-{worker.name}"
                    job = Job(
                        bootstrap=broker.bootstrap,
                        application=run,
                        input=topic,
                        partitions=options.partitions,
                        directory=directory / run,
                        guarantee=guarantee,
                        commit_ms=options.commit_interval,
                        linger_ms=options.linger,
                        settings=tuple(tuple(item.split("=", 1)) for item in options.set),
                    )
                    results.append(measure(worker, job, options.messages, number))
                    print("  ".join(results[-1].row()), flush=True)
        print()
        throughput.print_table(HEADINGS, [result.row() for result in results])
        if len(workers) > 1:
            print()
            throughput.print_table(COMPARISON, comparison(results))


if __name__ == "__main__":
    main()
