"""Kafka behind TLS and a password."""

from __future__ import annotations

import time

import sequences
from brokers import SecuredKafkaBroker
from checks import Checks, documents_converge
from message import Rules
from scenarios import Context, scenario
from scenarios.lifecycles import send_anywhere

READY_SECONDS = 60
# A client that is refused tries again; so long it must not become ready.
REFUSED_SECONDS = 8


@scenario("crash")
def kafka_over_sasl_ssl(context: Context) -> None:
    """Whoever runs Kafka with SASL_SSL could not run the tracker, or only without checking whom it talks to."""
    broker = SecuredKafkaBroker(context.directory / "secured")
    try:
        broker.start()
        app = context.app(broker=broker).create_input()
        app.settings |= broker.client()
        tracker = app.start().wait_until_ready(READY_SECONDS)
        sent = send_anywhere(app, sequences.extraction_fails(), Rules())
        app.sender.flush()
        checks = Checks()
        checks.extend(documents_converge(app, tracker, [sent.payload]))
        checks.that(broker.password not in tracker.log_text(), "the password is in the log")
        wrong = {
            "a wrong password": {"kafka.sasl.password": "wrong"},
            "an unknown authority": {"kafka.ssl.ca.location": None},
        }
        for what, change in wrong.items():
            app.settings |= broker.client() | change | {"state.dir": app.directory / "refused"}
            refused = app.start()
            time.sleep(REFUSED_SECONDS)
            checks.that(refused.status_of("/readyz") != 200, f"it gets ready with {what}")
            refused.kill()
        checks.done()
    finally:
        broker.stop()
