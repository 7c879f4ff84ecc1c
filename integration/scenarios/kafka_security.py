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
# A client that is refused tries again; so long it must not become ready, nor say so again.
REFUSED_SECONDS = 3
WRONG_PASSWORD = "wrong-password-0123"


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
            "a wrong password": ({"kafka.sasl.password": WRONG_PASSWORD}, "SASL authentication error"),
            "an unknown authority": ({"kafka.ssl.ca.location": None}, "certificate verify failed"),
            "no TLS": ({"kafka.security.protocol": "PLAINTEXT"}, "security.protocol"),
        }
        for what, (change, reason) in wrong.items():
            app.settings |= broker.client() | change | {"state.dir": app.directory / "refused"}
            refused = app.start()
            refused.wait_for(
                lambda refused=refused, reason=reason: reason in refused.log_text(),
                f"to say why, with {what}",
                READY_SECONDS,
            )
            time.sleep(REFUSED_SECONDS)
            checks.that(refused.status_of("/readyz") != 200, f"it gets ready with {what}")
            told = [line for line in refused.log_text().splitlines() if "ERROR" in line and reason in line]
            checks.that(len(told) == 1, f"with {what} the log tells {len(told)} times why:\n{refused.log_tail()}")
            checks.that(WRONG_PASSWORD not in refused.log_text(), f"with {what} the password is in the log")
            refused.kill()
        checks.done()
    finally:
        broker.stop()
