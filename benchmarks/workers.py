"""The tracker and its peers: how each is built and started on the same job. All of them read one input topic, repartition it by
payload id, keep a state for each payload with a changelog, and write an outcomes topic."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import brokers
from confluent_kafka import Consumer, ConsumerGroupState, KafkaError, KafkaException, TopicPartition
from records import Topics
from tracker import environment

BENCHMARKS = Path(__file__).resolve().parent
LIBRARIES = ("rdkafka", "rocksdb", "simdjson")
COMPLETED = {True: "told", False: "untold"}
STOP_SECONDS = 20
ANSWER_SECONDS = 30
LOOK_SECONDS = 0.05
LOADING = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS)
# The marker of the last transaction stands behind the last record, and some never commit past it.
MARKERS = 1


@dataclass(frozen=True)
class Job:
    """What a worker is to do. Each has an application of its own; `directory` is for its state and its log."""

    bootstrap: str
    application: str
    input: str
    partitions: int
    directory: Path
    guarantee: str
    commit_ms: int
    tells_completed: bool = False
    """Also tell the payloads that complete, as soon as they do. Otherwise only those that fail."""
    linger_ms: int = 5
    settings: tuple[tuple[str, object], ...] = ()
    """More settings, of the tracker only."""

    @property
    def outcomes(self) -> str:
        return f"{self.application}.outcomes"

    @property
    def repartition(self) -> str:
        return f"{self.application}-status-repartition"

    @property
    def changelog(self) -> str:
        return f"{self.application}-payload-changelog"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    def options(self) -> list[str]:
        """The job as all peers take it."""
        return [
            *("--bootstrap", self.bootstrap, "--application", self.application, "--input", self.input),
            *("--outcomes", self.outcomes, "--state", str(self.state), "--guarantee", self.guarantee),
            *("--completed", COMPLETED[self.tells_completed], "--commit-ms", str(self.commit_ms)),
        ]


class Running:
    """A worker's process and its log."""

    def __init__(self, name: str, command: list[str], job: Job, variables: dict[str, str] | None = None):
        self.name = name
        self.log = job.directory / "worker.log"
        job.state.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=job.directory
            )

    def check(self) -> None:
        """Ends the benchmark if the worker has ended."""
        if self.process.poll() is not None:
            sys.exit(f"{self.name} exited with {self.process.returncode}:\n{self.log_tail()}")

    def log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Payloads:
    """The tracker itself."""

    name = "tracker"

    def __init__(self, executable: Path):
        self.executable = executable

    def build(self) -> None:
        if not os.access(self.executable, os.X_OK):
            sys.exit(f"{self.executable} cannot be run: build it first (swift build -c release)")

    def start(self, job: Job) -> Running:
        settings = {
            "kafka.bootstrap.servers": job.bootstrap,
            "application.id": job.application,
            "topics.input": job.input,
            "topics.outcomes": job.outcomes,
            "topics.dead-letter": f"{job.application}.dead-letter",
            "topics.replication-factor": 1,
            "state.dir": job.state,
            "http.port": brokers.free_port(),
            "processing.guarantee": job.guarantee,
            "commit.interval": f"{job.commit_ms}ms",
            "completion.settle": "0s" if job.tells_completed else None,
            **dict(job.settings),
        }
        return Running(self.name, [str(self.executable), "serve"], job, environment(settings))


class Floor:
    """The C++ program that does only what the libraries ask for."""

    directory = BENCHMARKS / "floor"

    def __init__(self, name: str, *more: str):
        self.name, self.more = name, more

    def build(self) -> None:
        for program in ("make", "g++", "pkg-config"):
            need(program, "the floor is built with it")
        missing = [
            name for name in LIBRARIES if subprocess.run(["pkg-config", "--exists", name], check=False).returncode
        ]
        if missing:
            sys.exit(f"{', '.join(missing)} not found by pkg-config: the floor is built on it (make demo installs it)")
        run(["make", "-s", "-C", str(self.directory)])

    def start(self, job: Job) -> Running:
        make_topic(job, job.repartition)
        make_topic(job, job.changelog, cleanup_policy="compact")
        make_topic(job, job.outcomes)
        own = [
            "--repartition",
            job.repartition,
            "--changelog",
            job.changelog,
            "--linger-ms",
            str(job.linger_ms),
            *self.more,
        ]
        return Running(self.name, [str(self.directory / ".build" / "floor"), *job.options(), *own], job)


class Streams:
    """Kafka Streams of the Kafka in KAFKA_HOME."""

    directory = BENCHMARKS / "streams"

    def __init__(self, tuning: str, commit_ms: int | None = None):
        self.name = "streams" if tuning == "tuned" else f"streams-{tuning}"
        self.tuning, self.commit_ms = tuning, commit_ms

    def build(self) -> None:
        if not list(libraries().glob("kafka-streams-[0-9]*.jar")):
            sys.exit(
                "KAFKA_HOME has to name an unpacked Kafka distribution: libs/kafka-streams-*.jar is taken from there"
            )
        need("javac", "Kafka Streams needs a JDK, such as openjdk-17-jdk-headless")
        source, classes = self.directory / "StatusStreams.java", self.directory / ".build"
        built = classes / "StatusStreams.class"
        if built.exists() and built.stat().st_mtime > source.stat().st_mtime:
            return
        run(["javac", "-nowarn", "-d", str(classes), "-cp", f"{libraries()}/*", str(source)])

    def start(self, job: Job) -> Running:
        make_topic(job, job.outcomes)
        options = job.options()
        if self.commit_ms:
            options[options.index("--commit-ms") + 1] = str(self.commit_ms)
        logging = self.directory / "log4j.properties"
        command = ["java", "-Xmx1g", f"-Dlog4j.configuration={logging.as_uri()}"]
        paths = f"{self.directory / '.build'}:{libraries()}/*"
        return Running(self.name, [*command, "-cp", paths, "StatusStreams", *options, "--tuning", self.tuning], job)


class Quix:
    """Quix Streams, in a virtual environment of its own."""

    name = "quix"
    directory = BENCHMARKS / "quix"
    environment = BENCHMARKS / ".venv-quix"

    def build(self) -> None:
        wanted, installed = self.directory / "requirements.txt", self.environment / "requirements.installed"
        if installed.exists() and installed.read_text() == wanted.read_text():
            return
        run([sys.executable, "-m", "venv", str(self.environment)])
        run([str(self.environment / "bin" / "pip"), "install", "--quiet", "-r", str(wanted)])
        shutil.copy(wanted, installed)

    def start(self, job: Job) -> Running:
        make_topic(job, job.outcomes)
        program = [str(self.environment / "bin" / "python"), str(self.directory / "status_quix.py")]
        return Running(self.name, [*program, *job.options()], job)


# floor-batched waits up to 10 ms for a fetch to be worth it: under light traffic requests cost more than records. Streams tuned commits as
# the others do, plain at the 100 ms that it has with exactly_once by default.
PEERS = {
    "floor": Floor("floor"),
    "floor-batched": Floor("floor-batched", "--fetch-min-bytes", "100000"),
    "streams": Streams("tuned"),
    "streams-plain": Streams("plain", 100),
    "quix": Quix(),
}


def parser_of(description: str, beside: str | None = None) -> argparse.ArgumentParser:
    """With the arguments that all comparisons have. `beside`: the peers where none are named; None: there are none."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--bootstrap", metavar="HOST:PORT", help="a Kafka that is already there (default: one of KAFKA_HOME)"
    )
    parser.add_argument("--executable", type=Path, help="default: the newest of .build/release and .build/debug")
    if beside:
        parser.add_argument(
            "--beside",
            default=beside,
            help=f"the peers, separated by commas, of {', '.join(PEERS)} (default: %(default)s)",
        )
    return parser


@contextmanager
def running_kafka(bootstrap: str | None, name: str, keep: bool) -> Iterator[tuple[brokers.Broker, Path]]:
    """A Kafka, and a directory for the logs and states of a run."""
    directory = Path(tempfile.mkdtemp(prefix=f"payload-tracker-{name}-"))
    broker = kafka(bootstrap, directory)
    try:
        broker.start()
        yield broker, directory
    finally:
        broker.stop()
        if keep:
            print(f"logs and state are in {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)


def kafka(bootstrap: str | None, directory: Path) -> brokers.Broker:
    """The Kafka at an address, or one of its own out of KAFKA_HOME with its files in a directory, which is new."""
    if not bootstrap and not (libraries().parent / "bin").is_dir():
        directory.rmdir()
        sys.exit("KAFKA_HOME has to name an unpacked Kafka distribution, or --bootstrap a Kafka that runs")
    return brokers.choose(bootstrap, "kafka", directory)


def need(program: str, why: str) -> None:
    if not shutil.which(program):
        sys.exit(f"{program} is not installed: {why}")


def run(command: list[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def libraries() -> Path:
    return Path(os.environ.get("KAFKA_HOME", "/nowhere")) / "libs"


def make_topic(job: Job, name: str, **config: str) -> None:
    Topics(job.bootstrap).create(name, job.partitions, retention_ms="-1", **config)


def find_coordinator(bootstrap: str, topic: str) -> None:
    """Makes a fresh broker create its offsets topic. Before it has, questions about a group are not answered in time."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"first-{topic}", "log_level": 0})
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            consumer.committed([TopicPartition(topic, 0)], timeout=ANSWER_SECONDS)
            break
        except KafkaException as error:
            # The topic is there, and its partition is not loaded yet.
            if error.args[0].code() not in LOADING or time.monotonic() > deadline:
                raise
            time.sleep(LOOK_SECONDS)
    consumer.close()


class Progress:
    """How far a worker's group has come, whatever it calls its repartition topic."""

    def __init__(self, job: Job, messages: int):
        self.job, self.messages = job, messages
        self.topics = Topics(job.bootstrap)
        self.consumer = Consumer(
            {"bootstrap.servers": job.bootstrap, "group.id": f"watch-{job.application}", "log_level": 0}
        )

    def has_partitions(self) -> bool:
        """Whether the group has settled and a member has something to read."""
        name = self.job.application
        try:
            group = self.topics.admin.describe_consumer_groups([name])[name].result(ANSWER_SECONDS)
        except KafkaException:
            return False
        return group.state == ConsumerGroupState.STABLE and any(m.assignment.topic_partitions for m in group.members)

    def records(self) -> float:
        """How many records of the input have gone all the way: a record that is only forwarded counts half."""
        committed = self.topics.committed(self.job.application)
        return sum(min(offset, self.messages) for offset in committed.values()) / 2

    def is_done(self) -> bool:
        """Whether everything in the input and in the repartition topic is committed."""
        committed = self.topics.committed(self.job.application)
        if sum(offset for (topic, _), offset in committed.items() if topic == self.job.input) < self.messages:
            return False
        repartition = {topic for topic, _ in committed if topic != self.job.input}
        return len(repartition) == 1 and all(
            self.end_of(topic, partition) - committed.get((topic, partition), 0) <= MARKERS
            for topic in repartition
            for partition in range(self.job.partitions)
        )

    def end_of(self, topic: str, partition: int) -> int:
        return self.consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=ANSWER_SECONDS)[1]

    def wait_for(
        self, running: Running, condition: Callable[[], bool], what: str, seconds: float, each=lambda: None
    ) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            running.check()
            if time.monotonic() > deadline:
                sys.exit(f"{running.name} was not {what} after {seconds} s:\n{running.log_tail()}")
            each()
            time.sleep(LOOK_SECONDS)
