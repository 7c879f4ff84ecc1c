"""Where the scenarios find a broker, how they start one of their own, and what each kind can do."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

START_SECONDS = 60
STOP_SECONDS = 20

# What a scenario may need of a broker, and why one that lacks it cannot run the scenario.
CAPABILITIES = {
    "topics": "creating and describing topics",
    "transactions": "transactions that hide what is open or aborted",
    "aborts": "right answers to a read_committed consumer that goes on behind an aborted transaction",
    "fencing": "fencing of a producer by its transactional.id",
    "static-members": "static group membership",
    "takeover": "moving a crashed member's partitions to another one",
    "volume": "more than 100,000 messages",
    "restart": "coming back with its data after a restart",
    "crash": "coming back with its data after a kill -9 by the runner, which has to have started it",
    "link": "a listener behind a link of the runner's, which has to have started it",
}
OWN = {
    "kafka": set(CAPABILITIES),
    "noida": {"topics", "transactions", "fencing", "static-members", "restart"},
    "embedded": set(),
}
LISTENERS = ("PLAINTEXT", "LINKED", "CONTROLLER")
PORTS = (10_000, 32_768)
GIVEN = set(CAPABILITIES) - {"crash", "link"}


def free_port() -> int:
    """A port that nobody has, below those that the kernel gives to whoever connects: it stays free over a restart."""
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", random.randrange(*PORTS)))
            except OSError:
                continue
            return probe.getsockname()[1]


class BrokerFailed(Exception):
    """A broker did not start or stop; says where its log is."""


class Broker:
    """A broker that is already there: nothing is started or stopped."""

    kind = "given"

    def __init__(self, bootstrap: str):
        self.bootstrap = bootstrap
        self.capabilities = GIVEN

    def start(self) -> None:
        self.wait_until_up(START_SECONDS)

    def stop(self) -> None:
        """Nothing to do for a broker that was given."""

    def problem(self) -> str | None:
        """Why it does not answer, None if it does."""
        try:
            AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0}).list_topics(timeout=2)
        except KafkaException as error:
            return str(error)
        return None

    def wait_until_up(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while problem := self.problem():
            if time.monotonic() > deadline or self.has_died():
                raise BrokerFailed(f"no answer from {self.bootstrap}: {problem}")
            time.sleep(0.2)

    def has_died(self) -> bool:
        return False

    def another(self, directory: Path, port: int) -> Broker | None:
        """A broker of the same kind at a port, not yet started, for what happens while there is none."""
        return None


class ProcessBroker(Broker):
    """A broker that runs as a process of ours, with a data directory that outlives its restarts."""

    def __init__(self, directory: Path, port: int | None = None):
        self.directory = directory
        self.port = port or free_port()
        super().__init__(f"127.0.0.1:{self.port}")
        self.capabilities = OWN[self.kind]
        self.log = directory / "broker.log"
        self.process: subprocess.Popen | None = None
        directory.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def launch(self) -> None:
        """Starts it, and does not wait."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), env=self.environment(), stdout=log, stderr=log, start_new_session=True
            )

    def start(self) -> None:
        self.launch()
        try:
            self.wait_until_up(START_SECONDS)
        except BrokerFailed as error:
            self.stop()
            raise BrokerFailed(f"{error}; its log is {self.log}") from None

    def has_died(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def stop(self) -> None:
        if self.process is None:
            return
        for kind in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, kind)
                self.process.wait(STOP_SECONDS)
                break
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self.process = None

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def another(self, directory: Path, port: int) -> Broker:
        return type(self)(directory, port)


class NoidaBroker(ProcessBroker):
    """noida-db: young, small, good for correctness of small traffic; it cannot move a crashed member's partitions.

    Its fetch answers name all transactions of a partition that were ever aborted, not those of the range that is read. Consumers take
    the old ones for open, and drop what the same producer committed later (seen with 0.2.3 and librdkafka 2.0.2)."""

    kind = "noida"

    def command(self) -> list[str]:
        program = Path(sys.executable).with_name("noida-db")
        where = ["--kafka-port", str(self.port), "--host", "127.0.0.1", "--data-dir", str(self.directory / "data")]
        return [str(program), "start", "--only", "kafka", *where]


class KafkaBroker(ProcessBroker):
    """Apache Kafka from an unpacked distribution (`KAFKA_HOME`), broker and controller in one, loopback only.

    Clients that come in by `linked_port` are told to stay on `link_port`, where the runner may put a link between."""

    kind = "kafka"
    cluster_id = "cGF5bG9hZC10cmFja2Vy"

    def __init__(self, directory: Path, port: int | None = None):
        super().__init__(directory, port)
        self.linked_port, self.link_port = free_port(), free_port()

    def command(self) -> list[str]:
        properties = self.directory / "server.properties"
        if not properties.exists():
            properties.write_text(self.properties())
            format_storage = [self.script("kafka-storage.sh"), "format", "-t", self.cluster_id, "-c", str(properties)]
            subprocess.run(format_storage, env=self.environment(), check=True, capture_output=True)
        return [self.script("kafka-server-start.sh"), str(properties)]

    def script(self, name: str) -> str:
        return str(Path(os.environ["KAFKA_HOME"]) / "bin" / name)

    def environment(self) -> dict[str, str]:
        # Left empty, Kafka's scripts have a JMX port opened on all interfaces.
        own = {
            "KAFKA_HEAP_OPTS": "-Xms512m -Xmx1g",
            "KAFKA_JMX_OPTS": "-Djava.awt.headless=true",
            "LOG_DIR": str(self.directory / "logs"),
        }
        return {**os.environ, **own}

    def properties(self) -> str:
        controller = free_port()
        own, linked, link = (f"127.0.0.1:{port}" for port in (self.port, self.linked_port, self.link_port))
        lines = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://{own},LINKED://{linked},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://{own},LINKED://{link}",
            "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in LISTENERS),
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            # It may be killed and started again, and then waits until the controller has given up its former self.
            "broker.session.timeout.ms": "5000",
            "broker.heartbeat.interval.ms": "1000",
            "log.dirs": str(self.directory / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "5",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "5",
            "group.initial.rebalance.delay.ms": "0",
            "default.replication.factor": "1",
        }
        return "".join(f"{key}={value}\n" for key, value in lines.items())


class SecuredKafkaBroker(KafkaBroker):
    """Apache Kafka with one more listener, SASL_SSL on `secured`; the runner's own clients stay on the open one."""

    user, password = "tracker", "tracker-password-0123"

    def __init__(self, directory: Path, port: int | None = None):
        super().__init__(directory, port)
        self.secured = f"localhost:{free_port()}"
        self.certificate = directory / "broker.pem"
        self.keystore = directory / "broker.p12"

    def command(self) -> list[str]:
        if not self.keystore.exists():
            store = ["-keystore", str(self.keystore), "-storepass", self.password, "-alias", "broker"]
            names = ["-dname", "CN=localhost", "-ext", "SAN=dns:localhost"]
            pair = ["-genkeypair", "-keyalg", "RSA", "-keysize", "2048", "-validity", "2", "-storetype", "PKCS12"]
            for arguments in ([*pair, *names], ["-exportcert", "-rfc", "-file", str(self.certificate)]):
                subprocess.run(["keytool", *arguments, *store], check=True, capture_output=True)
        return super().command()

    def properties(self) -> str:
        login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        lines = {}
        for line in super().properties().splitlines():
            key, _, value = line.partition("=")
            lines[key] = value
        lines["listeners"] += f",SECURED://{self.secured}"
        lines["advertised.listeners"] += f",SECURED://{self.secured}"
        lines["listener.security.protocol.map"] += ",SECURED:SASL_SSL"
        own = {
            "sasl.enabled.mechanisms": "PLAIN",
            "plain.sasl.jaas.config": f'{login} user_{self.user}="{self.password}";',
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.location": str(self.keystore),
            "ssl.keystore.password": self.password,
            "ssl.key.password": self.password,
        }
        lines |= {f"listener.name.secured.{key}": value for key, value in own.items()}
        return "".join(f"{key}={value}\n" for key, value in lines.items())

    def client(self) -> dict[str, str]:
        """The tracker's settings for the secured listener."""
        return {
            "kafka.bootstrap.servers": self.secured,
            "kafka.security.protocol": "SASL_SSL",
            "kafka.sasl.mechanism": "PLAIN",
            "kafka.sasl.username": self.user,
            "kafka.sasl.password": self.password,
            "kafka.ssl.ca.location": str(self.certificate),
        }


class EmbeddedBroker(Broker):
    """librdkafka's mock cluster in this process: no topics to create, no transactions. Almost everything is skipped."""

    kind = "embedded"

    def __init__(self):
        self.producer = Producer({"test.mock.num.brokers": 1})
        brokers = self.producer.list_topics(timeout=10).brokers
        super().__init__(",".join(f"{broker.host}:{broker.port}" for broker in brokers.values()))
        self.capabilities = OWN[self.kind]


def choose(bootstrap: str | None, kind: str | None, directory: Path) -> Broker:
    """The broker that the command line asks for; without a wish, Apache Kafka if there is one, else noida-db."""
    if bootstrap:
        return Broker(bootstrap)
    if kind == "embedded":
        return EmbeddedBroker()
    if kind == "kafka" or (kind is None and os.environ.get("KAFKA_HOME")):
        return KafkaBroker(directory / "kafka")
    return NoidaBroker(directory / "noida")


def remove(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
