"""Thousands who wait for payloads at once, on a real Kafka half of them at an instance that has to ask another one."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import time
from pathlib import Path

import sequences
from app import App
from checks import Checks
from scenarios import Context, scenario
from scenarios.instances import start_instances
from tracker import Tracker

WAITERS = 2_000
MOST_CPU_SHARE = 0.2
LOOK_SECONDS = 5
STEADY_SECONDS = 20


@scenario()
def thousands_wait_at_once(context: Context) -> None:
    """If everybody waited for their upload at once, some would be turned away, or the worker would be busy with them alone."""
    allow_files(2 * WAITERS)
    app = context.app().create_input()
    # On others two workers are so busy with fetches that find nothing that what waiting takes does not show.
    count = 2 if "takeover" in context.broker.capabilities else 1
    trackers = start_instances(app, count, stall_after="0")
    awaited = [sequences.new_id(app.random) for _ in range(WAITERS)]
    idle = cpu_share(trackers)
    answers, busy = asyncio.run(wait_for_all(app, trackers, awaited))
    checks = Checks()
    checks.equal("answers", len(answers), WAITERS)
    for payload_id, answer in zip(awaited, answers, strict=True):
        checks.equal(f"what came of {payload_id}", answer.get("outcome", answer.get("detail")), "failed")
    # Some brokers answer a fetch at once that finds nothing, and librdkafka asks again: that is there without anybody who waits.
    print(f"      {WAITERS:,} who wait: {busy:.0%} of a core, {idle:.0%} without them", flush=True)
    checks.that(busy - idle < MOST_CPU_SHARE, f"{WAITERS:,} waiters took {busy - idle:.0%} of a core")
    checks.done()


def allow_files(count: int) -> None:
    """For this process and those that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


async def wait_for_all(app: App, trackers: list[Tracker], payload_ids: list[str]) -> tuple[list[dict], float]:
    """The answers of the first, and what all did meanwhile as a share of a core, while nothing but the waiting happened."""
    waiting = [asyncio.create_task(wait_for(trackers[0].port, payload_id)) for payload_id in payload_ids]
    await asyncio.sleep(LOOK_SECONDS)
    await until_steady(trackers)
    busy = await asyncio.to_thread(cpu_share, trackers)
    for payload_id in payload_ids:
        send_failure(app, payload_id)
    return await asyncio.gather(*waiting), busy


async def until_steady(trackers: list[Tracker]) -> None:
    """Until nobody is being connected any more, which takes longer on a machine that has other things to do; not for so long that the first
    have waited for their minute."""
    before = -1
    deadline = time.monotonic() + STEADY_SECONDS
    while (now := sum(map(open_files, trackers))) != before and time.monotonic() < deadline:
        before = now
        await asyncio.sleep(1)


async def wait_for(port: int, payload_id: str) -> dict:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET /v1/payloads/{payload_id}?wait=60s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    writer.write(request.encode())
    answer = await reader.read()
    writer.close()
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def send_failure(app: App, payload_id: str) -> None:
    message = {"request_id": payload_id, "service": "puptoo", "status": "error", "date": "2024-01-02T03:04:05Z"}
    app.send(json.dumps(message).encode())


def cpu_share(trackers: list[Tracker]) -> float:
    """What the workers do of a core, over a few seconds."""
    began, cpu = time.monotonic(), sum(map(cpu_seconds, trackers))
    time.sleep(LOOK_SECONDS)
    return (sum(map(cpu_seconds, trackers)) - cpu) / (time.monotonic() - began)


def open_files(tracker: Tracker) -> int:
    return len(os.listdir(f"/proc/{tracker.process.pid}/fd"))


def cpu_seconds(tracker: Tracker) -> float:
    fields = Path(f"/proc/{tracker.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
