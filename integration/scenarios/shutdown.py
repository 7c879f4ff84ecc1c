"""Stops and starts that are meant, and a broker that is not there."""

from __future__ import annotations

import signal
import subprocess
import threading
import time

import sequences
from app import App
from brokers import Broker, free_port
from checks import Checks, Skipped, documents_converge, events_of_all, models_of
from message import Rules
from scenarios import Context, scenario
from tracker import Tracker

DEADLINE = 10


def orderly_stop(context: Context, kind: signal.Signals) -> None:
    app = context.app().create_input()
    tracker = app.start().wait_until_ready()
    sending = threading.Thread(target=send_for_a_while, args=(app,), daemon=True)
    sending.start()
    time.sleep(2)
    started = time.monotonic()
    tracker.send_signal(kind)
    code = tracker.wait_for_exit(2 * DEADLINE)
    took = time.monotonic() - started
    sending.join()
    checks = Checks()
    checks.equal(f"exit code after {kind.name}", code, 0)
    checks.that(took < DEADLINE, f"took {took:.1f} s to stop after {kind.name}")
    payloads, _ = models_of(app.sender.flush(), Rules())
    tracker = app.start().wait_until_ready()
    checks.extend(documents_converge(app, tracker, list(payloads.values())))
    checks.extend(events_of_all(app, tracker, payloads, repeats=False))
    checks.done()


def send_for_a_while(app: App) -> None:
    for _ in range(40):
        payload_id = sequences.new_id(app.random)
        steps = app.random.choice([sequences.silent_consumer, sequences.extraction_fails])()
        for value in sequences.message_values(payload_id, steps, 1_700_000_000_000_000, app.random):
            app.send(value)
        time.sleep(0.1)


@scenario("topics", "transactions")
def stop_by_sigterm(context: Context) -> None:
    """A rolling update would lose messages, tell outcomes twice, or wait for the orchestrator's kill."""
    orderly_stop(context, signal.SIGTERM)


@scenario()
def demo_stopped_on_its_tour(context: Context) -> None:
    """Ctrl-C on the first thing that a visitor tries would be heard by its worker, and its tour would go on for half a minute."""
    app = context.app()
    checks = Checks()
    # Which of two handlers the signal reaches is chance.
    for number in range(3):
        demo = subprocess.Popen(
            [str(app.executable), "demo", "--keep-running"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=app.directory,
        )
        try:
            for line in demo.stdout:
                if b"completed" in line:
                    break
            demo.terminate()
            started = time.monotonic()
            demo.communicate(timeout=DEADLINE)
            checks.equal(f"exit code of demo {number}", demo.returncode, 0)
        except subprocess.TimeoutExpired:
            checks.that(False, f"demo {number} has not stopped after {time.monotonic() - started:.0f} s")
        finally:
            demo.kill()
    checks.done()


@scenario("topics", "transactions")
def stop_by_sigint(context: Context) -> None:
    """Ctrl-C would lose messages or hang."""
    orderly_stop(context, signal.SIGINT)


@scenario("topics")
def stop_before_it_is_ready(context: Context) -> None:
    """A worker that is told to stop while it starts would hang or fail."""
    checks = Checks()
    for pause in (0.5, 1.0, 2.0):
        tracker = context.app().create_input().start()
        time.sleep(pause)
        checks.equal(f"exit code, stopped after {pause} s", tracker.stop(), 0)
    checks.done()


def another_broker(context: Context) -> Broker:
    broker = context.broker.another(context.directory / "late-broker", free_port())
    if broker is None:
        raise Skipped("a broker that was given cannot be stopped and started")
    return broker


def unready_problems(tracker: Tracker, what: str) -> list[str]:
    """A worker without a broker lives, says so, and is not ready."""
    checks = Checks()
    tracker.wait_for(tracker.is_healthy, f"to be healthy {what}", 30)
    tracker.wait_for(lambda: tracker.status_of("/readyz") == 503, f"not to be ready {what}", 60)
    time.sleep(4)
    checks.equal(f"/readyz {what}", tracker.status_of("/readyz"), 503)
    checks.equal(f"/healthz {what}", tracker.status_of("/healthz"), 200)
    return checks.problems


@scenario("topics", "restart")
def broker_that_comes_late(context: Context) -> None:
    """A worker that is started before its broker would give up, or wait without saying why."""
    broker = another_broker(context)
    broker.start()
    try:
        app = context.app(broker=broker).create_input()
        broker.stop()
        tracker = app.start()
        checks = Checks()
        checks.extend(unready_problems(tracker, "while there is no broker"))
        checks.that(broker.bootstrap in tracker.log_text(), f"no log line names {broker.bootstrap}")
        broker.start()
        tracker.wait_until_ready(90)
        for value in sequences.message_values("ab" * 16, sequences.rhel_upload(), 1_700_000_000_000_000, app.random):
            app.send(value)
        payloads, _ = models_of(app.sender.flush(), Rules())
        checks.extend(documents_converge(app, tracker, list(payloads.values())))
        checks.equal("exit code", tracker.stop(), 0)
        checks.done()
    finally:
        broker.stop()


@scenario("topics")
def broker_that_never_comes(context: Context) -> None:
    """A worker without a broker could not be stopped in an orderly way."""
    app = context.app()
    tracker = app.start(kafka_bootstrap_servers=f"127.0.0.1:{free_port()}")
    checks = Checks()
    checks.extend(unready_problems(tracker, "without a broker"))
    checks.equal("exit code", tracker.stop(), 0)
    checks.done()


# noida-db acknowledges commits while it stops and has lost them when it starts again: it is not asked to.
@scenario("topics", "transactions", "crash")
def broker_that_restarts(context: Context) -> None:
    """A broker's restart would stop the worker, or lose or repeat what came around it."""
    broker = another_broker(context)
    broker.start()
    try:
        app = context.app(broker=broker).create_input()
        tracker = app.start().wait_until_ready()
        send_for_a_while(app)
        app.sender.flush()
        broker.stop()
        time.sleep(5)
        broker.start()
        send_for_a_while(app)
        payloads, _ = models_of(app.sender.flush(), Rules())
        checks = Checks()
        checks.extend(documents_converge(app, tracker, list(payloads.values()), seconds=120))
        checks.extend(events_of_all(app, tracker, payloads, repeats=False))
        checks.done()
    finally:
        broker.stop()
