"""Kill -9 at each step of a commit, exactly there: the debug build kills itself where its environment says."""

from __future__ import annotations

import signal

import sequences
from app import App
from checks import Checks, Failed, Skipped, documents_converge, events_of_all, models_of
from message import Rules
from scenarios import Context, scenario
from scenarios.bad_input import place
from tracker import TrackerFailed

# Where a transaction is open, which the next start has aborted, and where none is.
ABORTING = ("begun", "produced", "offsetsSent")
COMMITTED = ("committed", "stored")
VARIABLE = "KILL_AT_COMMIT_STEP"
PAYLOADS = 25
EXIT_SECONDS = 60


def send_payloads(app: App) -> None:
    makers = list(sequences.SEQUENCES.values())
    for i in range(PAYLOADS):
        steps = makers[i % len(makers)]()
        for value in sequences.message_values(sequences.new_id(app.random), steps, 1_700_000_000_000_000, app.random):
            app.send(value)
    app.send(b"no status message")


@scenario("topics", "transactions", "fencing", "static-members")
def killed_at_every_commit_step(context: Context) -> None:
    """A crash between two steps of a commit would lose an outcome, tell it twice, or leave store and changelog at odds."""
    if "aborts" in context.broker.capabilities:
        run_with_kills(context, [(step, count) for step in ABORTING + COMMITTED for count in (1, 4)])
        return
    # Nothing is started that would read on behind an aborted transaction.
    for aborting in ABORTING:
        run_with_kills(context, [*((step, count) for step in COMMITTED for count in (1, 4)), (aborting, 4)])


def run_with_kills(context: Context, kills: list[tuple[str, int]]) -> None:
    """Kills the program at its nth time at a step, time after time, and judges what one without kills makes of it."""
    app = context.app(partitions=3).create_input()
    member = {"group_instance_id": "one", "processing_guarantee": "exactly_once"}
    for step, count in kills:
        tracker = app.start(variables={VARIABLE: f"{step}:{count}"}, **member)
        send_payloads(app)
        app.sender.flush()
        try:
            exit_code = tracker.wait_for_exit(EXIT_SECONDS)
        except TrackerFailed:
            raise Skipped("only a debug build kills itself") from None
        if exit_code != -signal.SIGKILL:
            raise Failed(f"exit code {exit_code} at {step}:{count}:\n{tracker.log_tail()}")
    tracker = app.start(**member).wait_until_ready()
    payloads, refused = models_of(app.sender.flush(), Rules())
    checks = Checks()
    checks.extend(documents_converge(app, tracker, list(payloads.values())))
    letters = app.read(app.dead_letters).read(5)
    checks.equal("dead letters", sorted(map(place, letters)), sorted(refused))
    checks.extend(events_of_all(app, tracker, payloads, repeats=False))
    checks.equal("exit code", tracker.stop(), 0)
    verified = app.command("state", "verify", settings=app.settings)
    checks.equal("exit code of state verify", verified.returncode, 0)
    checks.that(verified.returncode == 0, verified.stdout + verified.stderr)
    checks.done()
