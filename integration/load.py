"""Load for crashes and faults: payloads whose messages overlap, sent at a steady rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from random import Random

import sequences
from app import App
from scenarios.bad_input import refused_values

BASE = 1_700_000_000_000_000
ODD = 0.02
MESSAGES_OF_A_PAYLOAD = 13


def traffic(random: Random, open_payloads: int = 60) -> Iterator[bytes | None]:
    """Messages without end, unordered and with duplicates, of so many payloads at a time; refused records and tombstones
    between them. A payload's messages come over about as many others as `open_payloads * MESSAGES_OF_A_PAYLOAD`."""
    bad = [value for _, value, _ in refused_values() if len(value) < 10_000]
    waiting = [values_of_a_payload(random) for _ in range(open_payloads)]
    while True:
        chosen = random.randrange(open_payloads)
        yield waiting[chosen].pop()
        if not waiting[chosen]:
            waiting[chosen] = values_of_a_payload(random)
        if random.random() < ODD:
            yield random.choice([None, random.choice(bad)])


def values_of_a_payload(random: Random) -> list[bytes]:
    """A sequence of today's services, or in one of three cases a random one."""
    known = random.choice(list(sequences.SEQUENCES.values()))
    steps = sequences.random_steps(random) if random.random() < 1 / 3 else known()
    values = sequences.message_values(sequences.new_id(random), steps, BASE, random)
    return sequences.shuffled_with_duplicates(values, random)


class Load(threading.Thread):
    """Sends the values evenly, so many a second; what a time without a broker held up comes at once after it."""

    def __init__(self, app: App, values: Iterable[bytes | None], rate: float, count: int | None = None):
        super().__init__(daemon=True)
        self.app = app
        self.values = values
        self.count = count
        self.rate = rate
        self.sent = 0
        self.is_stopping = False

    @property
    def share(self) -> float:
        """How much is sent, from 0 to 1, where it is known how many values there are."""
        return self.sent / self.count if self.count else 0

    def stop(self) -> None:
        """Sends no more, and returns when that is so."""
        self.is_stopping = True
        self.join()

    def run(self) -> None:
        started = time.monotonic()
        for value in self.values:
            if self.is_stopping:
                return
            self.app.send(value)
            self.sent += 1
            early = self.sent / self.rate - (time.monotonic() - started)
            if early > 0.05:
                time.sleep(early)
