"""The scenarios. Each is a function with what a user would lose if it failed as its first line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from app import App
from brokers import CAPABILITIES, Broker


@dataclass
class Context:
    """What a scenario runs with."""

    broker: Broker
    executable: Path
    directory: Path
    random: Random
    settings: dict[str, str]

    def __post_init__(self):
        self.apps: list[App] = []

    def app(self, partitions: int = 4, broker: Broker | None = None) -> App:
        directory = self.directory / f"app-{len(self.apps)}"
        app = App(broker or self.broker, self.executable, directory, self.random, partitions, self.settings)
        self.apps.append(app)
        return app

    def close(self) -> None:
        for app in self.apps:
            app.close()


@dataclass(frozen=True)
class Scenario:
    name: str
    run: Callable[[Context], None]
    needs: tuple[str, ...]

    @property
    def loss(self) -> str:
        return (self.run.__doc__ or "").strip().splitlines()[0]

    def missing(self, broker: Broker) -> str | None:
        """Why the broker cannot run it, None if it can."""
        lacking = [need for need in self.needs if need not in broker.capabilities]
        return f"broker {broker.kind} lacks {CAPABILITIES[lacking[0]]}" if lacking else None


SCENARIOS: list[Scenario] = []


def scenario(*needs: str):
    """Registers a scenario under its function's name; `needs` are capabilities of the broker."""

    def register(run: Callable[[Context], None]):
        SCENARIOS.append(Scenario(run.__name__.replace("_", "-"), run, needs))
        return run

    return register


def load() -> list[Scenario]:
    """All scenarios, in the order in which they are best run: what everything rests on first."""
    from scenarios import (  # noqa: F401, I001
        lifecycles,
        bad_input,
        fields,
        timers,
        crashes,
        random_faults,
        commit_steps,
        http_rules,
        waiting,
        lists,
        configuration,
        shutdown,
        topics,
        instances,
        tokens,
        signed_tokens,
        tls,
        kafka_security,
        commands,
        administration,
        repartition,
        compatible,
        openapi,
        stream,
        page,
    )

    return SCENARIOS
